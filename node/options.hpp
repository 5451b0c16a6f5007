#pragma once
// What an operator can say to sluice-node.

#include "node/cni_config.hpp"

#include <optional>

namespace sluice::node {

struct Options {
  std::string kubeconfig, master;
  Settings settings;
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::string cni_conf_name = "10-sluice.conflist";
  bool cleanup = false, dry_run = false, verbose = false;
};

/// What the command line came to: options, or a text to print and an exit code.
struct CommandLine {
  Options options;
  std::optional<int> exit_code; ///< set: print `text` (to stderr if not 0) and exit
  std::string text;
};

CommandLine parse_command_line(int argc, const char *const *argv);

} // namespace sluice::node
