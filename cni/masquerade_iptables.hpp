#pragma once
// Masquerade as the reference plugins make it with iptables, for who asks for it (`ipMasqBackend`):
// a chain a container, in the nat table.
//
//   POSTROUTING      -s 10.77.0.2/32 -m comment --comment "name: \"net\" id: \"c1\"" -j CNI-<24
//   hex> CNI-<24 hex>     -d 10.77.0.0/24 -m comment --comment ... -j ACCEPT
//                    ! -d 224.0.0.0/4 -m comment --comment ... -j MASQUERADE
//
// The name does not say the interface: DEL of one interface of a container takes the chain away
// for all of them. It is removed by legacy_masquerade.hpp.

#include "cni/iptables_text.hpp"
#include "cni/protocol/error.hpp"
#include "net/ip_address.hpp"

namespace sluice::cni {

struct MasqueradeOwner {
  std::string network, container_id;
};

/// What `table`, of the address's family, should have for the address, as iptables-save prints it.
/// Pure.
std::vector<std::string> masquerade_rules(const MasqueradeOwner &owner,
                                          const InterfaceAddress &pod);

/// Makes the rules that are missing. Errors: 7 if iptables is not installed, 100 with what it said.
Outcome<> masquerade_by_iptables(const MasqueradeOwner &owner,
                                 const std::vector<InterfaceAddress> &pods);
/// Code 102 with the first rule that is missing.
Outcome<> check_masquerade_by_iptables(const MasqueradeOwner &owner,
                                       const std::vector<InterfaceAddress> &pods);

} // namespace sluice::cni
