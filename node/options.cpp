#include "node/options.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <cctype>
#include <net/if.h>
#include <sstream>
#include <unistd.h>

namespace sluice::node {
namespace {

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

/// As the kubelet names its Node.
std::string own_host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0)
    return {};
  std::string name(buffer.data());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

Result<> check(const Options &options) {
  const auto &name = options.cni_conf_name;
  constexpr std::string_view kSuffix = ".conflist";
  if (name.find('/') != std::string::npos || name.size() <= kSuffix.size() ||
      name.substr(name.size() - kSuffix.size()) != kSuffix)
    return fail(Errc::invalid_input, "--cni-conf-name " + quoted(name) +
                                         ": a file name that ends in .conflist, without a slash");
  if (options.settings.bridge.empty() || options.settings.bridge.size() >= IFNAMSIZ)
    return fail(Errc::invalid_input, "--bridge " + quoted(options.settings.bridge) +
                                         ": an interface name has 1 to 15 characters");
  if (options.settings.node_name.empty())
    return fail(Errc::invalid_input, "--node-name is empty, and so is the host name");
  return {};
}

void finish(CommandLine &line, const std::string &cluster_cidrs) {
  auto cidrs = parse_cidr_list(cluster_cidrs);
  auto checked =
      cidrs ? check(line.options) : Result<>(fail(Error(cidrs.error()).in("--cluster-cidr")));
  if (checked) {
    line.options.settings.cluster_cidrs = std::move(*cidrs);
    return;
  }
  line.exit_code = 2;
  line.text = "sluice-node: " + checked.error().what() + "\n";
}

} // namespace

CommandLine parse_command_line(int argc, const char *const *argv) {
  CommandLine line;
  auto &o = line.options;
  o.settings.node_name = own_host_name();
  std::string cluster_cidrs;

  CLI::App app(
      "Routes to the other nodes' pods, masquerades what leaves the cluster, and writes the "
      "CNI configuration.",
      "sluice-node");
  app.add_option("--kubeconfig", o.kubeconfig,
                 "kubeconfig file; without it: in-cluster credentials")
      ->type_name("FILE");
  app.add_option("--master", o.master, "address of the API server, instead of the kubeconfig's")
      ->type_name("URL");
  app.add_option("--node-name", o.settings.node_name, "name of this node's Node object")
      ->capture_default_str();
  app.add_option(
         "--cluster-cidr", cluster_cidrs,
         "networks that pods reach without masquerade, separated by commas; the pod networks "
         "of all Nodes always are")
      ->type_name("CIDR,...");
  app.add_option("--cni-conf-dir", o.cni_conf_dir, "folder of the CNI configuration")
      ->capture_default_str();
  app.add_option("--cni-conf-name", o.cni_conf_name, "file in it that is ours")
      ->capture_default_str();
  app.add_option("--bridge", o.settings.bridge, "bridge that pods are attached to")
      ->capture_default_str();
  app.add_option("--mtu", o.settings.mtu_bytes, "MTU of pods in bytes; 0: the kernel's default")
      ->check(CLI::IsMember({0}) | CLI::Range(68, 65535))
      ->type_name("BYTES");
  app.add_flag("--dry-run", o.dry_run, "print what would be done, change nothing, and exit");
  app.add_flag(
      "--cleanup", o.cleanup,
      "remove our routes, the nft table inet sluice-node and the CNI configuration, and exit");
  app.add_flag("-v,--verbose", o.verbose, "log every operation");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    std::ostringstream out, err;
    line.exit_code = app.exit(error, out, err);
    line.text = out.str() + err.str();
    return line;
  }
  finish(line, cluster_cidrs);
  return line;
}

} // namespace sluice::node
