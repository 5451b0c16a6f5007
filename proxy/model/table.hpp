#pragma once
// The load-balancing table: the one interface between Kubernetes and the data planes (DESIGN.md
// section 2). Every rule of a Service is decided before a Frontend exists; a data plane only
// realises the table. One Table is of one IP family. Plain values, deterministic order.

#include "net/ip_address.hpp"
#include "net/port.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::proxy {

/// namespace/name:port of a Service; protocol is part of the identity but not of the text.
struct ServicePortName {
  std::string namespace_, name, port;
  Protocol protocol = Protocol::tcp;
  /// "ns/name:port" or "ns/name".
  std::string str() const;
  friend auto operator<=>(const ServicePortName &, const ServicePortName &) = default;
};

/// What a packet is addressed to. No address: any node address that accepts nodePorts.
struct Frontend {
  std::optional<IpAddress> address;
  Port port;
  Protocol protocol = Protocol::tcp;
  std::string str() const;
  friend auto operator<=>(const Frontend &, const Frontend &) = default;
};

/// Names a set of backends; equal sets of one Table have one id. 0 is the empty set.
using BackendSetId = Strong<struct BackendSetIdTag, std::uint32_t>;

struct Backend {
  SocketAddress address;
  bool local = false;       ///< on this node
  bool terminating = false; ///< serving its last connections
  friend auto operator<=>(const Backend &, const Backend &) = default;
};

enum class WhenEmpty : std::uint8_t {
  reject, ///< ICMP port unreachable: nobody anywhere can answer
  drop,   ///< silence: endpoints exist, but the policy allows none here
};

/// What happens to a new connection of one source class.
struct TrafficPath {
  BackendSetId backends;
  bool masquerade = false;
  WhenEmpty whenEmpty = WhenEmpty::reject;
  friend bool operator==(const TrafficPath &, const TrafficPath &) = default;
};

enum class FrontendKind : std::uint8_t { cluster_ip, external_ip, load_balancer, node_port };

struct FrontendInfo {
  FrontendKind kind = FrontendKind::cluster_ip;
  ServicePortName service;
  /// By source: a local pod (as the local detector sees it), a process of this node, anybody else.
  TrafficPath from_pod, from_node, from_outside;
  std::optional<std::chrono::seconds> affinity; ///< ClientIP session affinity
  std::vector<Cidr> source_ranges;              ///< load_balancer only; empty: no filter
  friend bool operator==(const FrontendInfo &, const FrontendInfo &) = default;
};

/// How a data plane tells that a packet comes from a pod of this node.
struct LocalDetector {
  enum class Kind : std::uint8_t { none, cidr, interface_name, interface_prefix };
  Kind kind = Kind::none;
  std::vector<Cidr> cidrs; ///< kind cidr: of the table's family
  std::string interface;   ///< the name, or the prefix of names
  friend bool operator==(const LocalDetector &, const LocalDetector &) = default;
};

/// What of the node the rules depend on; rarely changes.
struct NodeInfo {
  LocalDetector localDetector;
  bool masqueradeAll = false;
  std::uint8_t masqueradeBit = 14;
  /// Addresses that accept nodePorts; empty with `anyNodePortAddress` false: none.
  std::vector<IpAddress> nodePortAddresses;
  bool anyNodePortAddress = false; ///< every local address but loopback
  bool localhostNodePorts = false; ///< 127.0.0.0/8 too, for processes of the node
  std::vector<Cidr> serviceCidrs;  ///< for dropping what matches no service port
  std::vector<IpAddress> nodeAddresses;
  friend bool operator==(const NodeInfo &, const NodeInfo &) = default;
};

using BackendSet = std::vector<Backend>; ///< sorted, no duplicates

struct Table {
  Family family = Family::ipv4;
  NodeInfo node;
  std::map<Frontend, FrontendInfo> frontends;
  std::map<BackendSetId, BackendSet> backendSets; ///< without the empty set
  friend bool operator==(const Table &, const Table &) = default;
};

/// What was added, changed and removed between two tables of one family. `set` holds the new value,
/// whether the key is new or changed. A changed set keeps its id.
struct TableDelta {
  std::map<BackendSetId, BackendSet> setBackends;
  std::vector<BackendSetId> removeBackends;
  std::map<Frontend, FrontendInfo> setFrontends;
  std::vector<Frontend> removeFrontends;
  std::optional<NodeInfo> node;
  bool empty() const noexcept {
    return setBackends.empty() && removeBackends.empty() && setFrontends.empty() &&
           removeFrontends.empty() && !node;
  }
  friend bool operator==(const TableDelta &, const TableDelta &) = default;
};

/// applied(from, delta_between(from, to)) == to.
TableDelta delta_between(const Table &from, const Table &to);
/// O(delta log n).
void apply_delta(Table &table, const TableDelta &delta);

} // namespace sluice::proxy
