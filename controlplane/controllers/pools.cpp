#include "controlplane/controllers/pools.hpp"

namespace sluice::controlplane {
namespace {

constexpr std::uint64_t kMaxAddresses = std::uint64_t{1} << 32;

/// How many addresses of `range` are given out: not the network's own, for IPv4 not the broadcast.
std::uint64_t usable(const Cidr &range) {
  const auto host_bits = range.address().bits() - range.prefix_length();
  const auto all = host_bits >= 32 ? kMaxAddresses : std::uint64_t{1} << host_bits;
  const std::uint64_t reserved = range.family() == Family::ipv4 ? 2 : 1;
  return all > reserved ? all - reserved : 0;
}

std::uint64_t address_band(std::uint64_t size) {
  return size <= 16 ? 0 : std::min<std::uint64_t>(std::max<std::uint64_t>(16, size / 16), 256);
}

std::uint64_t port_band(std::uint64_t size) {
  return size <= 16 ? 0 : std::min<std::uint64_t>(std::max<std::uint64_t>(16, size / 32), 128);
}

/// The low 64 bits, host order.
std::uint64_t low_bits(const IpAddress &ip) {
  std::uint64_t value = 0;
  const auto bytes = ip.bytes();
  for (const auto byte : bytes.last(std::min<std::size_t>(8, bytes.size())))
    value = value << 8 | byte;
  return value;
}

} // namespace

std::optional<std::uint64_t> BandedPool::free_between(std::uint64_t begin, std::uint64_t end,
                                                      Random &random) const {
  if (begin >= end)
    return std::nullopt;
  const auto start = std::uniform_int_distribution<std::uint64_t>(begin, end - 1)(random);
  auto number = start;
  do {
    if (!is_taken(number))
      return number;
    number = number + 1 == end ? begin : number + 1;
  } while (number != start);
  return std::nullopt;
}

Result<std::uint64_t> BandedPool::take_any(Random &random) {
  auto number = free_between(band_, size_, random);
  if (!number)
    number = free_between(0, std::min(band_, size_), random);
  if (!number)
    return fail(Errc::exhausted, "range is full");
  taken_.insert(*number);
  return *number;
}

AddressPool::AddressPool(Cidr range)
    : range_(range), pool_(usable(range), address_band(usable(range))) {}

std::optional<std::uint64_t> AddressPool::index_of(const IpAddress &ip) const {
  if (!range_.contains(ip))
    return std::nullopt;
  const auto index = low_bits(ip) - low_bits(range_.first()) - 1;
  return index < pool_.size() ? std::optional(index) : std::nullopt;
}

Result<> AddressPool::take(const IpAddress &ip) {
  const auto index = index_of(ip);
  if (!index)
    return fail(Errc::invalid_input, "the provided IP (" + ip.str() +
                                         ") is not in the valid range. The range of valid IPs is " +
                                         range_.str());
  if (!pool_.take(*index))
    return fail(Errc::already_exists, "provided IP is already allocated");
  return {};
}

void AddressPool::release(const IpAddress &ip) {
  if (const auto index = index_of(ip))
    pool_.release(*index);
}

Result<IpAddress> AddressPool::take_any(Random &random) {
  SLUICE_ASSIGN(const auto index, pool_.take_any(random),
                "allocate an address from " + range_.str());
  return range_.first().advanced(static_cast<std::int64_t>(index) + 1);
}

PortPool::PortPool(PortRange range)
    : range_(range), pool_(static_cast<std::uint64_t>(range.last - range.first + 1),
                           port_band(static_cast<std::uint64_t>(range.last - range.first + 1))) {}

Result<> PortPool::take(std::int64_t port) {
  if (port < range_.first || port > range_.last)
    return fail(Errc::invalid_input,
                "provided port is not in the valid range. The range of valid ports is " +
                    range_.str());
  if (!pool_.take(static_cast<std::uint64_t>(port - range_.first)))
    return fail(Errc::already_exists, "provided port is already allocated");
  return {};
}

void PortPool::release(std::int64_t port) {
  if (port >= range_.first && port <= range_.last)
    pool_.release(static_cast<std::uint64_t>(port - range_.first));
}

Result<std::int32_t> PortPool::take_any(Random &random) {
  SLUICE_ASSIGN(const auto index, pool_.take_any(random), "allocate a port from " + range_.str());
  return range_.first + static_cast<std::int32_t>(index);
}

SubnetPool::SubnetPool(Cidr cluster, unsigned node_prefix)
    : cluster_(cluster), prefix_(std::max(node_prefix, cluster.prefix_length())) {}

/// The number of the subnet that holds the first address of `cidr`.
std::optional<std::uint64_t> SubnetPool::index_of(const Cidr &cidr) const {
  if (!cluster_.contains(cidr))
    return std::nullopt;
  std::uint64_t index = 0;
  const auto bytes = cidr.address().bytes();
  for (unsigned bit = cluster_.prefix_length(); bit < prefix_; ++bit)
    index = index << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1U);
  return index;
}

bool SubnetPool::occupy(const Cidr &cidr) {
  const auto first = index_of(cidr);
  if (!first)
    return false;
  const auto count = cidr.prefix_length() >= prefix_
                         ? 1
                         : std::uint64_t{1} << std::min(prefix_ - cidr.prefix_length(), 20U);
  for (std::uint64_t i = 0; i < count; ++i)
    taken_.insert(*first + i);
  return true;
}

void SubnetPool::release(const Cidr &cidr) {
  const auto first = index_of(cidr);
  if (first && cidr.prefix_length() >= prefix_)
    taken_.erase(*first);
}

Result<Cidr> SubnetPool::take_any() {
  std::uint64_t free = 0;
  for (const auto taken : taken_) {
    if (taken != free)
      break;
    ++free;
  }
  if (free >= cluster_.subnet_count(prefix_))
    return fail(Errc::exhausted,
                "no /" + std::to_string(prefix_) + " is left in " + cluster_.str());
  taken_.insert(free);
  return cluster_.subnet(prefix_, free);
}

} // namespace sluice::controlplane
