#pragma once
// The keys `ipMasq` and `ipMasqBackend`: pods that talk to what is outside their network get the
// node's address. By nftables one rule a network, which stays (masquerade.hpp); by iptables, only
// if it is asked for, the reference plugins' rules for each pod (masquerade_iptables.hpp).

#include "cni/protocol/plugin.hpp"

#include <vector>

namespace sluice::cni {

enum class MasqueradeBy : std::uint8_t { nobody, nftables, iptables };

/// Code 7 names the key that is wrong.
Outcome<MasqueradeBy> parse_masquerade(const NetworkConfig &config);

/// `pods`: addresses with the prefix lengths of the network that is not masqueraded.
Outcome<> masquerade(MasqueradeBy by, const Request &request,
                     const std::vector<InterfaceAddress> &pods);
/// After a failed ADD: what is the pod's alone.
void take_back_masquerade(MasqueradeBy by, const Request &request);
/// Code 102 if a rule is missing.
Outcome<> check_masquerade(MasqueradeBy by, const Request &request,
                           const std::vector<InterfaceAddress> &pods);
/// Code 50 if what is asked for is not installed.
Outcome<> masquerade_status(MasqueradeBy by);

/// The addresses of a result.
std::vector<InterfaceAddress> addresses_of(const AddResult &result);

} // namespace sluice::cni
