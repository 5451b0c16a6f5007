#include "integration/packets/random_history.hpp"

namespace sluice::integration::packets {
namespace {

constexpr const char *kTypes[] = {"ClusterIP",    "NodePort",     "LoadBalancer",
                                  "LoadBalancer", "LoadBalancer", "ExternalName"};
constexpr const char *kServices[] = {"S", "S1", "S2", "S3"};
constexpr const char *kSlices[] = {"one", "two", "three", "four", "five", "six"};
constexpr const char *kClusterIps[] = {"C", "C2", "C3", "CU"};
constexpr const char *kBalancers[] = {"LB1", "LB2", "LB3"};
constexpr const char *kExternals[] = {"E", "EU", "C2"}; // also one that another Service may have
constexpr const char *kPorts[] = {"80", "53", "81"};
constexpr const char *kNodePorts[] = {"3001", "3002"};
constexpr const char *kProtocols[] = {"TCP", "TCP", "UDP", "SCTP"};
constexpr const char *kTargets[] = {"80", "53", "8080", "9090"};
constexpr const char *kEndpoints[] = {"L", "L2", "L3", "L4", "R", "R2", "A1", "B1", "H"};
constexpr const char *kConditions[] = {"",    "",    "",         "",           "",
                                       "/st", "/tn", "/unready", "/published", "/unconditional"};
constexpr const char *kHints[] = {"", "", "", "@a", "@b", "@a+b", "@a%n1", "%n2"};
constexpr const char *kSources[] = {"P", "P",  "P2", "B", "V",  "L", "L2",
                                    "N", "N2", "X",  "X", "XB", "Q", "W"};
constexpr const char *kRanges[] = {"203.0.113.0/25", "192.168.0.0/24",      "10.0.0.0/8",
                                   "0.0.0.0/0",      "fd04::cb00:7100/121", "fd04::a00:0/104"};
constexpr const char *kPolicies[] = {"Cluster", "Cluster", "Local"};

void remember(std::vector<std::string> &names, const std::string &name) {
  if (std::find(names.begin(), names.end(), name) == names.end())
    names.push_back(name);
}

} // namespace

std::string RandomHistory::change() {
  switch (below(10)) {
  case 0:
    return removal();
  case 1:
    return node();
  case 2:
    return chance(50) ? "plane restart" : "plane resync";
  case 3:
  case 4:
  case 5:
    return service();
  default:
    return slice();
  }
}

std::string RandomHistory::ports(bool with_node_ports) {
  std::string list;
  for (unsigned i = 0, n = 1 + below(3); i < n; ++i)
    list += (i == 0 ? "p" : ",p") + std::to_string(i) + "/" + one_of(kProtocols) + "/" +
            one_of(kPorts) +
            (with_node_ports && chance(70) ? std::string("/") + one_of(kNodePorts) : "");
  return list;
}

std::string RandomHistory::cluster_ips() {
  if (chance(5))
    return "None";
  const std::string ip = one_of(kClusterIps);
  if (!dual_)
    return ip;
  return chance(60) ? ip + "," + ip + "6" : of_a_family(ip);
}

std::string RandomHistory::policies() {
  auto text = std::string(" externalTrafficPolicy=") + one_of(kPolicies);
  text += std::string(" internalTrafficPolicy=") + one_of(kPolicies);
  return text + " affinity=" + (chance(25) ? "600" : "None");
}

/// What the API server lets a Service of this type have, beside its clusterIPs.
std::string RandomHistory::addresses(const std::string &type) {
  auto text = " externalIPs=" + (chance(40) ? some_of(kExternals, 40) : "-");
  if (type != "LoadBalancer")
    return text + " lb=- ranges=-";
  const auto balancers = some_of(kBalancers, 30);
  text += " lb=" + balancers + (balancers != "-" && chance(10) ? "/Proxy" : "");
  std::string ranges;
  for (const auto *range : kRanges)
    if (chance(10) && (dual_ || std::string(range).find(':') == std::string::npos))
      ranges += (ranges.empty() ? "" : ",") + std::string(range);
  return text + " ranges=" + (ranges.empty() ? "-" : ranges);
}

std::string RandomHistory::service() {
  const std::string name = one_of(kServices), type = one_of(kTypes);
  remember(services_, name);
  auto text = "set " + name + " type=" + type + " clusterIPs=" + cluster_ips();
  text += " ports=" + ports(type == "NodePort" || type == "LoadBalancer");
  text += addresses(type) + policies();
  return text + " labels=" + (chance(3) ? "service.kubernetes.io/service-proxy-name:other" : "-");
}

std::string RandomHistory::endpoint(const std::string &suffix) {
  return one_of(kEndpoints) + suffix + one_of(kConditions) + one_of(kHints);
}

std::string RandomHistory::slice() {
  const std::string name = one_of(kSlices), suffix = dual_ && chance(50) ? "6" : "";
  remember(slices_, name);
  auto text = "slice " + name + " service=" + one_of(kServices);
  if (!suffix.empty())
    text += " addressType=IPv6";
  if (chance(3))
    text += " labels=service.kubernetes.io/headless";
  text += " ports=";
  for (unsigned i = 0; i < 3; ++i)
    for (const auto *protocol : {"TCP", "UDP", "SCTP"})
      text += (text.back() == '=' ? "p" : ",p") + std::to_string(i) + "/" + protocol + "/" +
              one_of(kTargets);
  std::string list;
  for (unsigned i = 0, n = below(6); i < n; ++i)
    list += (list.empty() ? "" : ",") + endpoint(suffix);
  return text + " endpoints=" + (list.empty() ? "-" : list);
}

std::string RandomHistory::node() {
  switch (below(5)) {
  case 3:
    holds_ = chance(60);
    return std::string("node holds=") + (holds_ ? "HVIP" : "-");
  case 0:
    return std::string("node masqueradeAll=") + (chance(30) ? "true" : "false");
  case 1:
    return std::string("node zone=") + (chance(50) ? "zone-a" : "zone-b");
  case 2:
    return std::string("node nodePortAddresses=") + (chance(40)   ? "primary"
                                                     : chance(50) ? "192.168.1.0/24"
                                                                  : "0.0.0.0/0");
  default:
    break;
  }
  switch (below(5)) {
  case 0:
    return "node detector=ClusterCIDR:-";
  case 1:
    return "node detector=BridgeInterface:cni0";
  case 2:
    return "node detector=InterfaceNamePrefix:veth";
  case 3:
    return "node detector=NodeCIDR podCIDRs=10.180.0.0/24";
  default:
    return "node detector=ClusterCIDR:10.0.0.0/8";
  }
}

std::string RandomHistory::removal() {
  auto &names = chance(50) ? services_ : slices_;
  if (names.empty())
    return service();
  const auto at = names.begin() + below(static_cast<unsigned>(names.size()));
  const auto text = (&names == &slices_ ? "delete slice " : "delete ") + *at;
  names.erase(at);
  return text;
}

std::string RandomHistory::question() {
  const std::string from = one_of(kSources);
  const std::string protocol = one_of(kProtocols);
  if (chance(30)) {
    const auto to = chance(70)             ? of_a_family("n1")
                    : holds_ && chance(50) ? std::string("HVIP")
                                           : of_a_family("N2");
    return from + "->" + to + ":" + one_of(kNodePorts) + "/" + protocol;
  }
  const unsigned kind = below(10);
  const auto *to = kind < 5   ? one_of(kClusterIps)
                   : kind < 8 ? one_of(kBalancers)
                   : kind < 9 ? one_of(kExternals)
                              : "FREE";
  return from + "->" + of_a_family(to) + ":" + one_of(kPorts) + "/" + protocol;
}

} // namespace sluice::integration::packets
