#pragma once
// What people ask `explain`: from where, to where, in names or addresses. Pure but for Lookups.

#include "proxy/model/model.hpp"

namespace sluice::proxy {

/// FROM: "10.244.1.5", "node", "node/n2", "default/web-1", "web-1" (of namespace default).
struct Place {
  enum class Kind : std::uint8_t { address, this_node, node, pod };
  Kind kind = Kind::address;
  std::optional<IpAddress> address; ///< kind address
  std::string namespace_, name;     ///< of a pod; of a node the name alone
};
Result<Place> parse_place(std::string_view text);

/// TO: "10.96.0.10:53/UDP", "[2001:db8::1]:80", "default/web", "web:http", "web:80/TCP"; or
/// "node:30080", a nodePort of this node.
struct Target {
  std::optional<IpAddress> address;
  bool this_node = false;
  std::string namespace_, service; ///< if it is none of these
  std::string port;                ///< number or name; empty: the Service's only one
  std::optional<Protocol> protocol;
};
Result<Target> parse_target(std::string_view text);

/// The world outside the model; each may take its time. All are set.
struct Lookups {
  std::function<Result<std::vector<IpAddress>>(const kube::ObjectKey &pod)> pod;
  std::function<Result<std::vector<IpAddress>>(const std::string &node)> node;
  /// Whether the address is one of this machine's.
  std::function<bool(const IpAddress &)> is_ours;
  /// The interface that packets from this address come in by; empty: not known.
  std::function<std::string(const IpAddress &)> interface_of;
};

/// Where a connection may come from: one address of each family that the place has.
struct Origin {
  std::vector<IpAddress> addresses; ///< empty: this node, with the address that suits
  bool this_node = false;
  std::string words; ///< "pod default/web-1"
};
Result<Origin> find_origin(const Place &place, const Lookups &lookups);

/// The flow's far end, by the models of the families. The origin decides between two families.
Result<Flow> find_flow(const Origin &origin, const Target &target,
                       const std::vector<const Model *> &models);

} // namespace sluice::proxy
