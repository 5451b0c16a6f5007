#include "proxy/nftables/layout.hpp"

#include "net/hash.hpp"

#include <cstring>

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

// The smallest maps: 8 bytes of kernel memory for each possible element.
constexpr Sizes kSmallest{.frontends = 8192,
                          .nodePorts = 1024,
                          .sets = 8192,
                          .slots = 65536,
                          .hairpins = 4096,
                          .ranges = 1024,
                          .members = 1024};
// Clients with session affinity; an element takes about 120 bytes while it is there.
constexpr std::uint32_t kMostClients = 1U << 18;
constexpr std::chrono::seconds::rep kLongestAffinity = 86400 * 365;

std::uint32_t with_room(std::uint32_t needed, std::uint32_t smallest) {
  std::uint32_t size = smallest;
  while (size / 2 < needed && size < 1U << 30)
    size *= 2;
  return size;
}

} // namespace

std::string layout_mark() { return "sluice-proxy layout " + std::to_string(kLayoutVersion); }

std::string_view name_of(Source source) noexcept {
  switch (source) {
  case Source::pod:
    return "pod";
  case Source::node:
    return "node";
  case Source::outside:
    break;
  }
  return "outside";
}

const TrafficPath &path_of(const FrontendInfo &info, Source source) noexcept {
  switch (source) {
  case Source::pod:
    return info.from_pod;
  case Source::node:
    return info.from_node;
  case Source::outside:
    break;
  }
  return info.from_outside;
}

const char *map_of(const Frontend &frontend) noexcept {
  return frontend.address ? kFrontends : kNodePorts;
}

std::string dispatch_map(Source source) { return "dispatch-" + std::string(name_of(source)); }

std::string pick_chain(Source source, std::uint32_t count) {
  return "pick-" + std::string(name_of(source)) + "-" + std::to_string(count);
}

std::string remember_chain(std::uint32_t seconds) { return "remember-" + std::to_string(seconds); }

bool is_variable_chain(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == name.size() ||
      name.find_first_not_of("0123456789", dash + 1) != std::string_view::npos)
    return false;
  const auto kind = name.substr(0, dash);
  return kind == "remember" || std::any_of(kSources.begin(), kSources.end(), [&](Source source) {
           return kind == "pick-" + std::string(name_of(source));
         });
}

Sizes sizes_for(const Sizes &needed) {
  return {.frontends = with_room(needed.frontends, kSmallest.frontends),
          .nodePorts = with_room(needed.nodePorts, kSmallest.nodePorts),
          .sets = with_room(needed.sets, kSmallest.sets),
          .slots = with_room(needed.slots, kSmallest.slots),
          .hairpins = with_room(needed.hairpins, kSmallest.hairpins),
          .ranges = with_room(needed.ranges, kSmallest.ranges),
          .members = with_room(needed.members, kSmallest.members)};
}

bool fits(const Sizes &needed, const Sizes &sizes) noexcept {
  return needed.frontends <= sizes.frontends && needed.nodePorts <= sizes.nodePorts &&
         needed.sets <= sizes.sets && needed.slots <= sizes.slots &&
         needed.hairpins <= sizes.hairpins && needed.ranges <= sizes.ranges &&
         needed.members <= sizes.members;
}

std::vector<Set> maps(Family family, const Sizes &sizes) {
  const auto address = family == Family::ipv4 ? Type::ipv4_addr : Type::ipv6_addr;
  // nft's only type of 48 bits stands for a service's number; a concatenation has five fields.
  constexpr auto service = Type::ether_addr;
  const std::vector<Type> frontend{Type::mark, Type::mark, Type::mark, Type::mark, service};
  std::vector<Set> all = {
      {.name = kFrontends,
       .key = {address, Type::inet_proto, Type::inet_service},
       .data = frontend,
       .size = sizes.frontends},
      {.name = kNodePorts,
       .key = {Type::inet_proto, Type::inet_service},
       .data = frontend,
       .size = sizes.nodePorts},
      {.name = kNodePortIps, .key = {address}},
      {.name = kCounts, .key = {Type::mark}, .data = {Type::mark}, .size = sizes.sets},
      {.name = kSlots,
       .key = {Type::mark, Type::mark},
       .data = {address, Type::inet_service},
       .size = sizes.slots},
      {.name = kClusterIps, .key = {address}, .size = sizes.frontends},
      {.name = kHairpin, .key = {address, address}, .size = sizes.hairpins},
      {.name = kRanges,
       .key = {address, Type::inet_proto, Type::inet_service, Type::mark, address},
       .size = sizes.ranges},
      {.name = kAffinity,
       .key = {service, address},
       .data = {address, Type::inet_service},
       .size = kMostClients,
       .dynamic = true,
       .timeouts = true},
      {.name = kMembers, .key = {Type::mark, address, Type::inet_service}, .size = sizes.members},
      {.name = kServices, .key = {service}, .data = {Type::mark}, .size = sizes.frontends},
      {.name = kTimeouts, .key = {Type::mark}, .verdicts = true},
  };
  for (const auto source : kSources)
    all.push_back({.name = dispatch_map(source), .key = {Type::mark}, .verdicts = true});
  return all;
}

AffinityService affinity_of(const FrontendInfo &info) {
  if (!info.affinity)
    return {};
  const auto seconds = static_cast<std::uint32_t>(
      std::clamp<std::chrono::seconds::rep>(info.affinity->count(), 1, kLongestAffinity));
  const auto hash =
      fnv1a_64(info.service.str() + "/" + std::string(name_of(info.service.protocol)) + "/" +
               std::to_string(seconds));
  return {.number = std::max<std::uint64_t>(1, (hash ^ hash >> 48) & 0xffff'ffff'ffff),
          .seconds = seconds};
}

Value frontend_key(const Frontend &frontend) {
  Value key;
  if (frontend.address)
    key.put(*frontend.address);
  return key.put(frontend.protocol).put(frontend.port);
}

FrontendRecord record_of(const FrontendInfo &info) {
  FrontendRecord record{.sets = {},
                        .flags = (info.source_ranges.empty() ? 0 : kRangedFlag) |
                                 (info.affinity ? kAffinityFlag : 0),
                        .affinity = affinity_of(info),
                        .isClusterIp = info.kind == FrontendKind::cluster_ip,
                        .ranges = info.source_ranges};
  for (const auto source : kSources) {
    const auto &path = path_of(info, source);
    record.sets[static_cast<std::size_t>(source)] = path.backends;
    record.flags |= path.masquerade ? masquerade_flag(source) : 0;
    record.flags |= path.whenEmpty == WhenEmpty::drop ? drop_flag(source) : 0;
  }
  std::sort(record.ranges.begin(), record.ranges.end());
  record.ranges.erase(std::unique(record.ranges.begin(), record.ranges.end()), record.ranges.end());
  return record;
}

Value frontend_data(const FrontendRecord &record, const std::array<KernelSetId, 3> &sets) {
  Value data = number(record.flags);
  for (const auto set : sets)
    data.put_u32(set);
  return data.put(service_key(record.affinity).bytes());
}

std::array<KernelSetId, 3> sets_of(const Value &frontend_data) {
  return {frontend_data.u32_at(4), frontend_data.u32_at(8), frontend_data.u32_at(12)};
}

Value number(std::uint32_t value) { return Value().put_u32(value); }

Value slot_key(KernelSetId set, std::uint32_t slot) { return number(set).put_u32(slot); }

Value slot_data(const SocketAddress &endpoint) {
  return Value().put(endpoint.ip).put(endpoint.port);
}

Value hairpin_key(const IpAddress &endpoint) { return Value().put(endpoint).put(endpoint); }

Value service_key(const AffinityService &service) {
  std::array<std::uint8_t, 6> bytes{};
  std::memcpy(bytes.data(), &service.number, bytes.size());
  return field(bytes);
}

Value member_key(KernelSetId set, const SocketAddress &endpoint) {
  return number(set).put(endpoint.ip).put(endpoint.port);
}

Value range_key(const Frontend &frontend, const Cidr &source) {
  return frontend_key(frontend).put_u32(source.prefix_length()).put(source.first());
}

SocketAddress endpoint_of(Family family, const Value &data) {
  const std::size_t length = family == Family::ipv4 ? 4 : 16;
  return {IpAddress::from_bytes(data.bytes().first(length)), Port(data.be16_at(length))};
}

} // namespace sluice::proxy::nftables
