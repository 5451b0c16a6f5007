#include "cni/vlans.hpp"

#include "cni/pod_check.hpp"

#include <algorithm>
#include <set>

namespace sluice::cni {
namespace {

constexpr std::int64_t kLeast = 1, kMost = 4094;
constexpr std::uint16_t kUsualNative = 1;

std::uint16_t native_of(const Vlans &vlans) {
  return vlans.native != 0 ? vlans.native : kUsualNative;
}

std::string asked_for(const Vlans &vlans) {
  return vlans.native != 0 ? "vlan is " + std::to_string(vlans.native) : "vlanTrunk is set";
}

Outcome<> add_entry(const ObjectReader &entry, std::set<std::uint16_t> &ids) {
  SLUICE_TAKE(const auto id, entry.number("id", kLeast, kMost));
  SLUICE_TAKE(const auto least, entry.number("minID", kLeast, kMost));
  SLUICE_TAKE(const auto most, entry.number("maxID", kLeast, kMost));
  if (least && !most)
    return fail(entry.wrong("minID", "maxID is missing"));
  if (most && !least)
    return fail(entry.wrong("maxID", "minID is missing"));
  if (least && *least > *most)
    return fail(entry.wrong("minID", "it is greater than maxID, " + std::to_string(*most)));
  if (!id && !least)
    return fail(Code::invalid_config, entry.path() + "id is missing, and minID and maxID are too");
  if (id)
    ids.insert(static_cast<std::uint16_t>(*id));
  for (auto each = least.value_or(1); each <= most.value_or(0); ++each)
    ids.insert(static_cast<std::uint16_t>(each));
  return {};
}

} // namespace

Outcome<Vlans> parse_vlans(const ObjectReader &top) {
  Vlans vlans;
  SLUICE_TAKE(const auto native, top.number("vlan", 0, kMost));
  vlans.native = static_cast<std::uint16_t>(native.value_or(0));
  SLUICE_PASS(top.read("preserveDefaultVlan", vlans.preserve_default));
  SLUICE_TAKE(const auto entries, top.objects("vlanTrunk"));
  std::set<std::uint16_t> ids;
  for (const auto &entry : entries)
    SLUICE_PASS(add_entry(entry, ids));
  vlans.trunk.assign(ids.begin(), ids.end());
  return vlans;
}

CniError no_vlan_filtering(const Vlans &vlans) {
  return {Code::unsupported_field,
          asked_for(vlans) + ", and this kernel's bridges do not filter VLANs",
          "it was built without CONFIG_BRIDGE_VLAN_FILTERING"};
}

Outcome<> check_vlan_filtering(const Vlans &vlans, const kernel::Link &bridge) {
  if (!vlans.wanted() || bridge.vlan_filtering == true)
    return {};
  if (!bridge.vlan_filtering)
    return fail(no_vlan_filtering(vlans));
  return fail(Code::invalid_config,
              asked_for(vlans) + ", and bridge \"" + bridge.name + "\" does not filter VLANs",
              "ip link set " + bridge.name + " type bridge vlan_filtering 1");
}

void plan_port_vlans(const Vlans &vlans, const std::string &port, std::uint16_t default_vlan,
                     kernel::RtnlBatch &batch) {
  if (!vlans.wanted())
    return;
  if (default_vlan != 0 && !vlans.preserve_default)
    batch.add(kernel::DeletePortVlan{port, default_vlan});
  const auto native = native_of(vlans);
  batch.add(kernel::AddPortVlan{port, native, true});
  for (const auto id : vlans.trunk)
    if (id != native)
      batch.add(kernel::AddPortVlan{port, id, false});
}

Outcome<> check_port_vlans(const Vlans &vlans, const std::string &what,
                           const std::vector<kernel::PortVlan> &actual) {
  const auto find = [&](std::uint16_t id) {
    return std::find_if(actual.begin(), actual.end(),
                        [&](const kernel::PortVlan &vlan) { return vlan.vlan == id; });
  };
  const auto native = native_of(vlans);
  const auto found = find(native);
  if (found == actual.end())
    return differs(what + " is not in VLAN " + std::to_string(native));
  if (!found->native || !found->untagged)
    return differs(what + ": VLAN " + std::to_string(native) + " is not its native one");
  for (const auto id : vlans.trunk)
    if (find(id) == actual.end())
      return differs(what + " is not in VLAN " + std::to_string(id));
  return {};
}

} // namespace sluice::cni
