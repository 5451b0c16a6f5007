#include "proxy/nftables/layout.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

// The smallest maps: 8 bytes of kernel memory for each possible element.
constexpr Sizes kSmallest{.frontends = 8192, .sets = 8192, .slots = 65536, .hairpins = 4096};

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

std::string dispatch_map(Source source) { return "dispatch-" + std::string(name_of(source)); }

std::string pick_chain(Source source, std::uint32_t count) {
  return "pick-" + std::string(name_of(source)) + "-" + std::to_string(count);
}

std::optional<std::uint32_t> count_of_pick_chain(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos || name.size() - dash > 10)
    return std::nullopt;
  std::uint32_t count = 0;
  for (const char digit : name.substr(dash + 1)) {
    if (digit < '0' || digit > '9')
      return std::nullopt;
    count = count * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  for (const auto source : kSources)
    if (pick_chain(source, count) == name)
      return count;
  return std::nullopt;
}

Sizes sizes_for(const Sizes &needed) {
  return {.frontends = with_room(needed.frontends, kSmallest.frontends),
          .sets = with_room(needed.sets, kSmallest.sets),
          .slots = with_room(needed.slots, kSmallest.slots),
          .hairpins = with_room(needed.hairpins, kSmallest.hairpins)};
}

bool fits(const Sizes &needed, const Sizes &sizes) noexcept {
  return needed.frontends <= sizes.frontends && needed.sets <= sizes.sets &&
         needed.slots <= sizes.slots && needed.hairpins <= sizes.hairpins;
}

std::vector<Set> maps(Family family, const Sizes &sizes) {
  const auto address = family == Family::ipv4 ? Type::ipv4_addr : Type::ipv6_addr;
  std::vector<Set> all = {
      {.name = kFrontends,
       .key = {address, Type::inet_proto, Type::inet_service},
       .data = {Type::mark, Type::mark, Type::mark, Type::mark},
       .size = sizes.frontends},
      {.name = kCounts, .key = {Type::mark}, .data = {Type::mark}, .size = sizes.sets},
      {.name = kSlots,
       .key = {Type::mark, Type::mark},
       .data = {address, Type::inet_service},
       .size = sizes.slots},
      {.name = kClusterIps, .key = {address}, .size = sizes.frontends},
      {.name = kHairpin, .key = {address, address}, .size = sizes.hairpins},
  };
  for (const auto source : kSources)
    all.push_back({.name = dispatch_map(source), .key = {Type::mark}, .verdicts = true});
  return all;
}

Value frontend_key(const Frontend &frontend) {
  return Value()
      .put(frontend.address.value_or(IpAddress()))
      .put(frontend.protocol)
      .put(frontend.port);
}

Value frontend_data(const FrontendInfo &info, const std::array<KernelSetId, 3> &sets) {
  std::uint32_t flags = 0;
  for (const auto source : kSources) {
    const auto &path = path_of(info, source);
    flags |= path.masquerade ? masquerade_flag(source) : 0;
    flags |= path.whenEmpty == WhenEmpty::drop ? drop_flag(source) : 0;
  }
  Value data = number(flags);
  for (const auto set : sets)
    data.put_u32(set);
  return data;
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

SocketAddress endpoint_of(Family family, const Value &data) {
  const std::size_t length = family == Family::ipv4 ? 4 : 16;
  return {IpAddress::from_bytes(data.bytes().first(length)), Port(data.be16_at(length))};
}

} // namespace sluice::proxy::nftables
