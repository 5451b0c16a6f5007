#include "proxy/options.hpp"

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

namespace sluice::proxy {
namespace {

/// The texts as given; parsed after the command line was understood as a whole.
struct Texts {
  std::string clusterCidr, serviceCidr, detectLocalMode, bridge, prefix, bindAddress;
  std::string minSync, sync, healthz, metrics, mode;
  std::vector<std::string> nodePortAddresses;
  int masqueradeBit = 14;
};

/// Flags that stand beside --config.
constexpr std::string_view kBesideConfig[] = {
    "config", "hostname-override", "master",        "cleanup", "dry-run",
    "v",      "control-socket",    "service-cidrs", "help",    "version"};

void add_flags(CLI::App &app, ProxyOptions &options, Texts &texts) {
  app.add_option("--config", options.configFile,
                 "a KubeProxyConfiguration (v1alpha1); replaces the other flags");
  app.add_option("--kubeconfig", options.kubeconfig, "how to reach the API server");
  app.add_option("--master", options.master, "address of the API server, instead of kubeconfig's");
  app.add_option("--hostname-override", options.hostnameOverride, "name of our Node");
  app.add_option("--proxy-mode", texts.mode, "nftables");
  app.add_option("--cluster-cidr", texts.clusterCidr, "addresses of pods; one network a family");
  app.add_option("--detect-local-mode", texts.detectLocalMode,
                 "ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix");
  app.add_option("--pod-bridge-interface", texts.bridge, "the bridge of BridgeInterface");
  app.add_option("--pod-interface-name-prefix", texts.prefix, "the prefix of InterfaceNamePrefix");
  app.add_flag("--masquerade-all", options.node.masqueradeAll,
               "masquerade all traffic to clusterIPs");
  app.add_option("--iptables-masquerade-bit", texts.masqueradeBit, "bit of the packet mark, 0-31");
  app.add_option("--iptables-min-sync-period", texts.minSync,
                 "least time between two syncs (default 0: at once)");
  app.add_option("--iptables-sync-period", texts.sync,
                 "how often the kernel is read back, and the longest wait after an error "
                 "(default 30s)");
  app.add_option("--healthz-bind-address", texts.healthz, "default 0.0.0.0:10256; port 0: off");
  app.add_option("--metrics-bind-address", texts.metrics, "default 127.0.0.1:10249; port 0: off");
  app.add_flag("--bind-address-hard-fail", options.bindAddressHardFail,
               "exit if one of them is taken");
  app.add_option("--bind-address", texts.bindAddress, "replaces the Node's address");
  app.add_option("--nodeport-addresses", texts.nodePortAddresses, "networks, or \"primary\"")
      ->delimiter(',');
  app.add_option("--service-cidrs", texts.serviceCidr,
                 "ranges of clusterIPs: what nobody has is dropped");
  app.add_option("--control-socket", options.controlSocket, "default /run/sluice/proxy.sock");
  app.add_flag("--cleanup", options.cleanup, "remove everything of ours from the kernel and exit");
  app.add_flag("--dry-run", options.dryRun, "print the table, write nothing, exit");
  app.add_option("-v,--v", options.verbosity, "4 and more: log each sync");
}

Result<> set_periods(const Texts &texts, ProxyOptions &options) {
  if (!texts.minSync.empty()) {
    SLUICE_ASSIGN(options.periods.min, parse_duration(texts.minSync), "--iptables-min-sync-period");
  }
  if (!texts.sync.empty()) {
    SLUICE_ASSIGN(options.periods.period, parse_duration(texts.sync), "--iptables-sync-period");
  }
  return {};
}

Result<> set_node(const Texts &texts, NodeOptions &node) {
  SLUICE_ASSIGN(node.clusterCidrs, parse_cidr_list(texts.clusterCidr), "--cluster-cidr");
  SLUICE_ASSIGN(node.detectLocal, parse_detect_local_mode(texts.detectLocalMode),
                "--detect-local-mode");
  node.interface =
      node.detectLocal == DetectLocalMode::bridge_interface ? texts.bridge : texts.prefix;
  SLUICE_ASSIGN(node.nodePortAddresses, parse_node_port_addresses(texts.nodePortAddresses),
                "--nodeport-addresses");
  if (texts.masqueradeBit < 0 || texts.masqueradeBit > 31)
    return fail(Errc::invalid_input, "--iptables-masquerade-bit is 0 to 31");
  node.masqueradeBit = static_cast<std::uint8_t>(texts.masqueradeBit);
  if (!texts.bindAddress.empty()) {
    SLUICE_ASSIGN(node.bindAddress, IpAddress::parse(texts.bindAddress), "--bind-address");
  }
  return {};
}

Result<> from_texts(const Texts &texts, ProxyOptions &options) {
  SLUICE_TRY(set_periods(texts, options), "flags");
  SLUICE_TRY(set_node(texts, options.node), "flags");
  if (!texts.mode.empty())
    options.mode = texts.mode;
  if (!texts.healthz.empty()) {
    SLUICE_ASSIGN(options.healthzBindAddress, parse_bind_address(texts.healthz),
                  "--healthz-bind-address");
  }
  if (!texts.metrics.empty()) {
    SLUICE_ASSIGN(options.metricsBindAddress, parse_bind_address(texts.metrics),
                  "--metrics-bind-address");
  }
  return {};
}

Result<> from_config(const CLI::App &app, ProxyOptions &options) {
  for (const auto *option : app.get_options()) {
    const auto name = option->get_name(false, false);
    const auto bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
    if (option->count() > 0 && std::find(std::begin(kBesideConfig), std::end(kBesideConfig),
                                         bare) == std::end(kBesideConfig))
      options.withoutEffect.push_back(name + " (--config replaces it)");
  }
  std::ifstream file(options.configFile);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(Errc::not_found, "--config: cannot read \"" + options.configFile + "\"");
  SLUICE_TRY(read_config(text.str(), options), "--config \"" + options.configFile + "\"");
  return {};
}

Result<> complete(const CLI::App &app, const Texts &texts, ProxyOptions &options) {
  if (options.configFile.empty()) {
    SLUICE_TRY(from_texts(texts, options), "command line");
  } else {
    SLUICE_TRY(from_config(app, options), "command line");
  }
  SLUICE_ASSIGN(options.node.serviceCidrs, parse_cidr_list(texts.serviceCidr), "--service-cidrs");
  SLUICE_TRY(validate(options), "command line");
  return {};
}

} // namespace

CommandLine parse_command_line(int argc, const char *const *argv) {
  CommandLine line;
  Texts texts;
  CLI::App app("The Service proxy of Sluice.", "sluice-proxy");
  app.set_version_flag("--version", "sluice-proxy v0.1.0");
  add_flags(app, line.options, texts);
  ProxyOptions given;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    std::ostringstream out;
    line.exitCode = app.exit(error, out, out);
    line.text = out.str();
    return line;
  }
  if (!line.options.configFile.empty()) {
    // Start over: what stands beside the file stays, everything else is the file's.
    given.configFile = line.options.configFile;
    given.hostnameOverride = line.options.hostnameOverride;
    given.master = line.options.master;
    given.cleanup = line.options.cleanup;
    given.dryRun = line.options.dryRun;
    given.verbosity = line.options.verbosity;
    given.controlSocket = line.options.controlSocket;
    line.options = given;
  }
  if (auto done = complete(app, texts, line.options); !done) {
    line.exitCode = 2;
    line.text = "sluice-proxy: " + done.error().what() + "\n";
  }
  return line;
}

} // namespace sluice::proxy
