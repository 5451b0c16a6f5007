#pragma once
// Who sends and who is addressed, by name.

#include "net/port.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::proxy::cases {

/// Where a place is, which decides through what its packets reach the node n1.
enum class At : std::uint8_t {
  pod,     ///< on n1, behind the bridge cni0
  veth,    ///< on n1, behind an interface of its own, veth12
  node,    ///< n1 itself
  remote,  ///< on n2
  outside, ///< neither
  service, ///< an address of a Service
};

struct Place {
  const char *name;
  const char *address; ///< IPv4; the IPv6 one is made from it
  At at;
};

const std::vector<Place> &places();
const Place *find_place(const std::string &name);

/// fd04::<the IPv4 address>; loopback and the unspecified address stay what they are.
IpAddress as_ipv6(const IpAddress &v4);
Cidr as_ipv6(const Cidr &v4);

/// Turns names and addresses of the table into addresses of one family: "P" is P's address of that
/// family, "P6" always the IPv6 one; an IPv4 address is itself or its IPv6 counterpart.
class AddressBook {
public:
  explicit AddressBook(Family family) : family_(family) {}
  Family family() const noexcept { return family_; }
  std::optional<IpAddress> find(const std::string &text) const;
  /// As `find`; aborts with the text if there is none.
  IpAddress address(const std::string &text) const;
  /// For a field of an object: names and IPv4 addresses and networks are replaced, anything else
  /// stays as it is.
  std::string field(const std::string &text) const;
  /// The name of an address, or the address.
  std::string name_of(const IpAddress &ip) const;

private:
  Family family_;
};

/// The input interface on n1 of what comes from there; empty for the node itself.
const char *interface_of(At at);

} // namespace sluice::proxy::cases
