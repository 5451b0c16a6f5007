#pragma once
// A pod sends with its own MAC only: nf_tables rules under the names of the reference plugin's, so
// that either removes what the other one made.
//
//   table bridge nat {
//     chain PREROUTING {
//       type filter hook prerouting priority -300; policy accept;
//       iifname "veth..." jump cni-br-iface-<id>-<if>       comment "macspoofchk-<id>-<if>", as all
//     }
//     chain cni-br-iface-<id>-<if> { jump cni-br-iface-<id>-<if>-mac }
//     chain cni-br-iface-<id>-<if>-mac { ether saddr <mac> return; drop }
//   }

#include "cni/protocol/environment.hpp"
#include "cni/protocol/error.hpp"
#include "net/mac_address.hpp"

#include <set>
#include <string>

namespace sluice::cni {

/// All in the calling thread's namespace. Replaces what there was for the attachment. Atomic. The
/// base rule notes its network for GC.
Outcome<> ensure_spoof_check(const std::string &network, const Attachment &attachment,
                             const std::string &host_link, MacAddress mac);
/// True if frames pass the attachment's chains, and they have their rules.
Outcome<bool> has_spoof_check(const Attachment &attachment);
/// No error if there is none. The table and its base chain stay: others use them.
Outcome<> remove_spoof_check(const Attachment &attachment);
/// What belongs to this network and to none of `valid`.
Outcome<> remove_stale_spoof_checks(const std::string &network, const std::set<Attachment> &valid);

} // namespace sluice::cni
