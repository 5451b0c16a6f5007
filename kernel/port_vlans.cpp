#include "kernel/port_vlans.hpp"

#include "kernel/rtnl/netlink_socket.hpp"

#include <algorithm>
#include <cstring>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

namespace sluice::kernel {
namespace {

/// One entry is one VLAN, or a range with the same flags.
void decode_entry(nlattr *entry, std::vector<PortVlan> &into) {
  nlattr *attributes[BRIDGE_VLANDB_ENTRY_MAX + 1];
  if (nla_parse_nested(attributes, BRIDGE_VLANDB_ENTRY_MAX, entry, nullptr) < 0)
    return;
  auto *info_attribute = attributes[BRIDGE_VLANDB_ENTRY_INFO];
  bridge_vlan_info info{};
  if (!info_attribute || nla_len(info_attribute) < static_cast<int>(sizeof info))
    return;
  std::memcpy(&info, nla_data(info_attribute), sizeof info);
  auto *range = attributes[BRIDGE_VLANDB_ENTRY_RANGE];
  const unsigned last = range ? nla_get_u16(range) : info.vid;
  for (unsigned vlan = info.vid; vlan <= last; ++vlan)
    into.push_back({static_cast<std::uint16_t>(vlan), (info.flags & BRIDGE_VLAN_INFO_PVID) != 0,
                    (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
}

void decode_vlans(const nlmsghdr &message, std::vector<PortVlan> &into) {
  auto *header = const_cast<nlmsghdr *>(&message);
  if (!nlmsg_valid_hdr(header, sizeof(br_vlan_msg)))
    return;
  int left = nlmsg_attrlen(header, sizeof(br_vlan_msg));
  for (auto *a = nlmsg_attrdata(header, sizeof(br_vlan_msg)); nla_ok(a, left);
       a = nla_next(a, &left))
    if (nla_type(a) == BRIDGE_VLANDB_ENTRY)
      decode_entry(a, into);
}

} // namespace

Result<std::vector<PortVlan>> read_port_vlans(IfIndex port) {
  const auto doing = "read the VLANs of port number " + std::to_string(port.value);
  SLUICE_ASSIGN(auto socket, rtnl::NetlinkSocket::open(), doing);
  br_vlan_msg header{};
  header.family = AF_BRIDGE;
  header.ifindex = port.value;
  rtnl::Message request(RTM_GETVLAN, 0, header);
  std::vector<PortVlan> vlans;
  SLUICE_TRY(socket.dump(
                 request, doing, [&] { vlans.clear(); },
                 [&](const nlmsghdr &message) { decode_vlans(message, vlans); }),
             doing);
  std::sort(vlans.begin(), vlans.end());
  return vlans;
}

} // namespace sluice::kernel
