#include "proxy/ipvs/layout.hpp"

#include "net/hash.hpp"

namespace sluice::proxy::ipvs {

using namespace kernel::nft;

namespace {

constexpr std::uint32_t kAffinityRecords = 131'072;

IpAddress zero(Family family) {
  const std::uint8_t zeros[16] = {};
  return IpAddress::from_bytes({zeros, family == Family::ipv4 ? 4U : 16U});
}

} // namespace

std::string layout_mark() { return "sluice ipvs layout " + std::to_string(kLayoutVersion); }

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

std::vector<Set> maps(Family family) {
  const auto addr = family == Family::ipv4 ? Type::ipv4_addr : Type::ipv6_addr;
  const std::vector<Type> frontend{addr, Type::inet_proto, Type::inet_service};
  const std::vector<Type> numbers(6, Type::mark);
  return {
      {.name = kFrontends, .key = frontend, .data = numbers},
      {.name = kAffinity,
       .key = {Type::mark, addr},
       .data = {addr, Type::inet_service},
       .size = kAffinityRecords,
       .dynamic = true,
       .timeouts = true},
      {.name = kPinned, .key = {Type::mark, addr, Type::inet_service}, .data = {Type::mark}},
      {.name = kTimeouts, .key = {Type::mark}, .verdicts = true},
      {.name = kRanges, .key = frontend, .verdicts = true},
      {.name = kClusterIps, .key = {addr}},
      {.name = kHairpin, .key = {addr, addr}},
      {.name = kNodePortIps, .key = {addr}},
      {.name = kServers, .key = {Type::mark}, .data = {Type::mark}},
  };
}

std::uint32_t service_number(const ServicePortName &service) {
  const auto hash = fnv1a_64(service.str(), fnv1a_64(name_of(service.protocol)));
  const auto folded = static_cast<std::uint32_t>(hash ^ (hash >> 32U));
  return folded == 0 ? 1 : folded;
}

Value frontend_key(Family family, const Frontend &frontend) {
  return Value()
      .put(frontend.address.value_or(zero(family)))
      .put(frontend.protocol)
      .put(frontend.port);
}

Value frontend_data(const FrontendInfo &info, const std::array<Mark, 3> &marks) {
  std::uint32_t flags = info.source_ranges.empty() ? 0 : kRangedFlag;
  flags |= info.affinity ? kAffinityFlag : 0;
  for (const auto source : kSources) {
    const auto &path = path_of(info, source);
    flags |= path.masquerade ? masquerade_flag(source) : 0;
    flags |= path.whenEmpty == WhenEmpty::drop ? drop_flag(source) : 0;
  }
  Value data;
  data.put_u32(flags);
  for (const auto mark : marks)
    data.put_u32(mark);
  data.put_u32(info.affinity ? static_cast<std::uint32_t>(info.affinity->count()) : 0);
  return data.put_u32(info.affinity ? service_number(info.service) : 0);
}

std::array<Mark, 3> marks_of(const Value &data) {
  return {data.u32_at(4), data.u32_at(8), data.u32_at(12)};
}

Value number(std::uint32_t value) { return Value().put_u32(value); }

Value address(const IpAddress &ip) { return Value().put(ip); }

Value pinned_key(Mark server, const SocketAddress &endpoint) {
  return Value().put_u32(server).put(endpoint.ip).put(endpoint.port);
}

std::pair<Mark, SocketAddress> pinned_of(Family family, const Value &key) {
  const std::size_t length = family == Family::ipv4 ? 4 : 16;
  return {key.u32_at(0),
          {IpAddress::from_bytes(key.bytes().subspan(4, length)), Port(key.be16_at(4 + length))}};
}

} // namespace sluice::proxy::ipvs
