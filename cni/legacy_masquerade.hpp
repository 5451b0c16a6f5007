#pragma once
// The masquerade rules that the reference plugins make for each pod. Ours are one a network, unless
// iptables is asked for (masquerade_iptables.hpp); these are removed when the pod goes away:
//
//   iptables  chain CNI-<24 hex> of nat, and the rule of POSTROUTING that leads to it
//   nftables  rules of chain masq_checks in table "inet cni_plugins_masquerade", known by a comment
//             that begins with hashes of network, interface and container

#include "cni/protocol/environment.hpp"
#include "cni/protocol/error.hpp"

#include <set>

namespace sluice::cni {

/// How the comment of the attachment's nftables rules begins: "<16 hex>-<16 hex>".
std::string legacy_masquerade_mark(const std::string &network, const Attachment &attachment);

/// Removes the attachment's rules. Where there are none: three questions to the kernel and two
/// files that are not there.
Outcome<> remove_legacy_masquerade(const std::string &network, const Attachment &attachment);

/// Removes the network's rules whose attachment is not valid. iptables rules do not tell the
/// interface: they stay as long as the container has any valid attachment.
Outcome<> collect_legacy_masquerade(const std::string &network, const std::set<Attachment> &valid);

} // namespace sluice::cni
