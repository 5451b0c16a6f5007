#pragma once
// What an operator can say: flags named as kube-proxy's, or a KubeProxyConfiguration file.

#include "proxy/family_sync.hpp"
#include "proxy/model/node_info.hpp"

namespace sluice::proxy {

struct ProxyOptions {
  std::string kubeconfig, master, hostnameOverride, configFile;
  std::string mode = "nftables";
  NodeOptions node;
  SyncPeriods periods;
  std::string healthzBindAddress = "0.0.0.0:10256";   ///< empty: no server
  std::string metricsBindAddress = "127.0.0.1:10249"; ///< empty: no server
  bool bindAddressHardFail = false;
  std::string controlSocket = "/run/sluice/proxy.sock"; ///< empty: none
  bool cleanup = false, dryRun = false;
  int verbosity = 0;
  /// What was given and has no effect, in people's words.
  std::vector<std::string> withoutEffect;
};

/// What the command line came to: options, or a text to print and an exit code.
struct CommandLine {
  ProxyOptions options;
  std::optional<int> exitCode; ///< set: print `text` (to stderr if not 0) and exit
  std::string text;
};

/// Reads flags and, if --config is among them, the file: as kube-proxy does, the file then replaces
/// every flag but --hostname-override, --master, --cleanup, -v and Sluice's own.
CommandLine parse_command_line(int argc, const char *const *argv);

/// KubeProxyConfiguration v1alpha1 on top of `options`. Refuses unknown fields by their path. Pure.
Result<> read_config(const std::string &yaml, ProxyOptions &options);

/// Whether the options make sense together. The error names the flag and what it takes.
Result<> validate(const ProxyOptions &options);

// The texts of single options; the errors quote what was given.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text); ///< Go's: "1m30s", "500ms"
Result<DetectLocalMode> parse_detect_local_mode(std::string_view text);
/// CIDRs, or "primary" alone, which gives an empty list.
Result<std::vector<Cidr>> parse_node_port_addresses(const std::vector<std::string> &texts);
/// Empty if disabled: no text, or port 0.
Result<std::string> parse_bind_address(const std::string &text);

} // namespace sluice::proxy
