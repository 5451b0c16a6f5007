#pragma once
// What an operator can say: flags named as kube-proxy's, or a KubeProxyConfiguration file.

#include "proxy/config/configuration.hpp"
#include "proxy/family_sync.hpp"
#include "proxy/model/node_info.hpp"
#include "proxy/sysctls.hpp"

#include <set>

namespace sluice::proxy {

/// Flags that no KubeProxyConfiguration has; they stand beside --config.
struct OwnFlags {
  std::string configFile, writeConfigTo, master, hostnameOverride, serviceCidrs;
  std::string controlSocket = "/run/sluice/proxy.sock"; ///< empty: none
  std::chrono::nanoseconds drainTimeout = std::chrono::minutes(10);
  std::chrono::nanoseconds ipvsDrainLimit{0}; ///< 0: until the last connection ends
  bool cleanup = false, initOnly = false, dryRun = false, manageSysctls = false;
  bool takeOver = true;      ///< remove kube-proxy's rules after our first sync
  bool strictConfig = false; ///< unknown fields are refused
};

/// What mode ipvs wants to know beside the table.
struct IpvsOptions {
  std::string scheduler = "rr";
  bool strictArp = false;
  std::chrono::nanoseconds tcpTimeout{0}, tcpFinTimeout{0}, udpTimeout{0}; ///< 0: as it is
  std::chrono::nanoseconds drainLimit{0}; ///< of an endpoint that left; 0: none
  friend bool operator==(const IpvsOptions &, const IpvsOptions &) = default;
};

/// Parsed and checked: what the daemon works with.
struct ProxyOptions {
  OwnFlags own;
  config::KubeProxyConfiguration config; ///< completed; what the rest was made from
  std::string mode = "nftables";
  std::string kubeconfig;
  std::string hostnameOverride; ///< empty: the host's name
  NodeOptions node;
  SyncPeriods periods;
  std::string healthzBindAddress; ///< empty: no server
  std::string metricsBindAddress; ///< empty: no server
  bool externalIPs = true;        ///< the gate AllowServiceExternalIPs
  IpvsOptions ipvs;
  SysctlWishes sysctls;
  /// What is set and has no effect, and what looks wrong, in people's words.
  std::vector<std::string> warnings;
};

/// What the command line came to: flags, or a text to print and an exit code.
struct CommandLine {
  OwnFlags own;
  config::KubeProxyConfiguration flags; ///< as the flags say, completed
  std::set<std::string> given;          ///< flags that were given
  std::vector<std::string> warnings;    ///< deprecated flags
  std::optional<int> exitCode;          ///< set: print `text` (to stderr if not 0) and exit
  std::string text;
};

CommandLine parse_command_line(int argc, const char *const *argv);

/// The flags, or with --config the file as it is now. As in kube-proxy the file replaces every flag
/// but the logging flags, --hostname-override and those of OwnFlags. Reads the file; may be called
/// again when it has changed.
Result<ProxyOptions> load_options(const CommandLine &line);

/// Pure. `config` is completed.
Result<ProxyOptions> options_of(config::KubeProxyConfiguration config, OwnFlags own);

/// How new options get into a running daemon.
enum class Reload : std::uint8_t {
  nothing,  ///< they say the same
  in_place, ///< the loop takes them with its next sync
  restart,  ///< the daemon's parts are built anew inside the process; the rules stay meanwhile
};
Reload reload_for(const ProxyOptions &before, const ProxyOptions &after);

/// Whether the host's families and the cluster's networks fit. An error if clusterCIDR has nothing
/// for any family of the host; a warning in people's words if it lacks one.
Result<std::string> check_families(const ProxyOptions &options, const std::vector<Family> &host);

} // namespace sluice::proxy
