#pragma once
// What ADD answers, in every version of the protocol (CNI SPEC 1.1 §5 "ADD Success"; the older
// forms after the specification's own history). Inside the program there is one form, the latest.

#include "cni/protocol/json.hpp"
#include "net/ip_address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

struct Interface {
  std::string name;
  std::string mac;             ///< empty: not told
  std::uint32_t mtu_bytes = 0; ///< 0: not told
  std::string sandbox;         ///< CNI_NETNS as it came; empty for an interface of the host
  std::string socket_path, pci_id;
  friend bool operator==(const Interface &, const Interface &) = default;
};

struct AssignedIp {
  InterfaceAddress address;
  std::optional<IpAddress> gateway;
  std::optional<std::size_t> interface; ///< index into AddResult::interfaces
  friend bool operator==(const AssignedIp &, const AssignedIp &) = default;
};

struct PodRoute {
  Cidr destination;
  std::optional<IpAddress> gateway;
  std::optional<std::uint32_t> mtu_bytes, advmss, priority, table;
  std::optional<std::uint8_t> scope;
  friend bool operator==(const PodRoute &, const PodRoute &) = default;
};

struct Dns {
  std::vector<std::string> nameservers, search, options;
  std::string domain;
  bool empty() const noexcept {
    return nameservers.empty() && search.empty() && options.empty() && domain.empty();
  }
  friend bool operator==(const Dns &, const Dns &) = default;
};

struct AddResult {
  std::vector<Interface> interfaces;
  std::vector<AssignedIp> ips;
  std::vector<PodRoute> routes;
  Dns dns;
  friend bool operator==(const AddResult &, const AddResult &) = default;
};

/// Reads a result of any version; `otherwise` is the version of one that names none. Unknown
/// members are ignored. Errors: code 1 for a version that we do not know, code 6 naming the member.
Outcome<AddResult> parse_result(const Json &result, const Version &otherwise);
Outcome<AddResult> parse_result(std::string_view text, const Version &otherwise);

/// The JSON text in the form of `version`. What an older form cannot say is left out. 0.1.0 and
/// 0.2.0 keep the first address of each family and need one (code 1 if there is none).
Outcome<std::string> to_text(const AddResult &result, const Version &version);

/// Reads "dns" of a configuration or a result.
Outcome<Dns> parse_dns(const ObjectReader &object);
/// Reads one {dst, gw, mtu, advmss, priority, table, scope}. Host bits of dst are masked off.
Outcome<PodRoute> parse_route(const ObjectReader &object);

} // namespace sluice::cni
