#pragma once
// KubeProxyConfiguration kubeproxy.config.k8s.io/v1alpha1 as a value: the field names, the defaults
// and the checks are kube-proxy's. What each field does here: docs/proxy.md.

#include "net/result.hpp"

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace sluice::proxy::config {

using std::chrono::nanoseconds;

struct ClientConnection {
  std::string kubeconfig, acceptContentTypes;
  std::string contentType = "application/vnd.kubernetes.protobuf";
  float qps = 5;
  std::int32_t burst = 10;
  friend bool operator==(const ClientConnection &, const ClientConnection &) = default;
};

struct LogStream {
  bool splitStream = false;
  std::string infoBufferSize;
  friend bool operator==(const LogStream &, const LogStream &) = default;
};

/// File pattern and verbosity.
using VModule = std::vector<std::pair<std::string, std::int32_t>>;

struct Logging {
  std::string format = "text";
  nanoseconds flushFrequency = std::chrono::seconds(5);
  std::int32_t verbosity = 0;
  VModule vmodule;
  LogStream text, json; ///< of `options`
  friend bool operator==(const Logging &, const Logging &) = default;
};

struct Iptables {
  std::int32_t masqueradeBit = 14;
  bool masqueradeAll = false, localhostNodePorts = true;
  nanoseconds syncPeriod = std::chrono::seconds(30);
  /// kube-proxy's default is 1 s, for a sync there costs as much as the cluster is large.
  nanoseconds minSyncPeriod{0};
  friend bool operator==(const Iptables &, const Iptables &) = default;
};

struct Nftables {
  std::int32_t masqueradeBit = 14;
  bool masqueradeAll = false;
  nanoseconds syncPeriod = std::chrono::seconds(30);
  nanoseconds minSyncPeriod{0}; ///< see Iptables
  friend bool operator==(const Nftables &, const Nftables &) = default;
};

struct Ipvs {
  nanoseconds syncPeriod = std::chrono::seconds(30);
  nanoseconds minSyncPeriod{0};
  std::string scheduler;
  std::vector<std::string> excludeCIDRs;
  bool strictARP = false;
  nanoseconds tcpTimeout{0}, tcpFinTimeout{0}, udpTimeout{0};
  friend bool operator==(const Ipvs &, const Ipvs &) = default;
};

struct Winkernel {
  std::string networkName, sourceVip, rootHnsEndpointName;
  bool enableDSR = false, forwardHealthCheckVip = false;
  friend bool operator==(const Winkernel &, const Winkernel &) = default;
};

struct DetectLocal {
  std::string bridgeInterface, interfaceNamePrefix;
  friend bool operator==(const DetectLocal &, const DetectLocal &) = default;
};

struct Conntrack {
  std::int32_t maxPerCore = 32768, min = 131072;
  nanoseconds tcpEstablishedTimeout = std::chrono::hours(24);
  nanoseconds tcpCloseWaitTimeout = std::chrono::hours(1);
  bool tcpBeLiberal = false;
  nanoseconds udpTimeout{0}, udpStreamTimeout{0}; ///< 0: left as it is
  friend bool operator==(const Conntrack &, const Conntrack &) = default;
};

struct KubeProxyConfiguration {
  std::map<std::string, bool> featureGates;
  ClientConnection clientConnection;
  Logging logging;
  std::string hostnameOverride;
  std::string bindAddress = "0.0.0.0";
  std::string healthzBindAddress, metricsBindAddress; ///< empty until `complete`
  bool bindAddressHardFail = false, enableProfiling = false;
  std::string showHiddenMetricsForVersion;
  std::string mode; ///< empty: nftables
  Iptables iptables;
  Ipvs ipvs;
  Nftables nftables;
  Winkernel winkernel;
  std::string detectLocalMode; ///< empty: ClusterCIDR
  DetectLocal detectLocal;
  std::string clusterCIDR;
  std::vector<std::string> nodePortAddresses; ///< empty: primary
  std::int32_t oomScoreAdj = -999;
  Conntrack conntrack;
  nanoseconds configSyncPeriod = std::chrono::minutes(15);
  std::string portRange;
  bool windowsRunAsService = false;
  friend bool operator==(const KubeProxyConfiguration &, const KubeProxyConfiguration &) = default;
};

/// Gives the two addresses to listen on their defaults (those of bindAddress's family), and their
/// ports if they have none.
void complete(KubeProxyConfiguration &config);

struct Decoded {
  KubeProxyConfiguration config;
  /// Unknown fields and fields given twice, by path: kube-proxy goes on with a warning too.
  std::vector<std::string> warnings;
};
/// YAML or JSON. A zero value means the default where kube-proxy sees it so. Errors name the path
/// of the field. Not completed. Pure.
Result<Decoded> read(const std::string &text);

/// Every field, as `read` takes it.
nlohmann::json to_json(const KubeProxyConfiguration &config);
std::string to_yaml(const KubeProxyConfiguration &config);

/// kube-proxy's checks, on a completed configuration; all that is wrong in one error. Pure.
Result<> validate(const KubeProxyConfiguration &config);

/// What is set and does nothing here, each with the reason: "enableProfiling (there is ...)". Pure.
std::vector<std::string> without_effect(const KubeProxyConfiguration &config);

/// The paths of the fields that differ.
std::vector<std::string> changed_fields(const KubeProxyConfiguration &before,
                                        const KubeProxyConfiguration &after);

/// Go's: "1m30s", "500ms". Zero or more.
Result<nanoseconds> parse_duration(std::string_view text);
/// As Go prints it: "1h0m0s", "1.5s", "0s".
std::string duration_text(nanoseconds time);

} // namespace sluice::proxy::config
