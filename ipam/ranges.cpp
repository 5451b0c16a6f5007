#include "ipam/ranges.hpp"

#include <algorithm>

namespace sluice::ipam {

using cni::Code;
using cni::ObjectReader;
using cni::Outcome;

namespace {

/// A network this small has no address left beside the network's own and the gateway's.
constexpr unsigned kSpareBits = 2;

bool overlap(const Range &a, const Range &b) noexcept {
  return a.subnet.family() == b.subnet.family() && a.start <= b.end && b.start <= a.end;
}

Outcome<Cidr> read_subnet(const ObjectReader &object) {
  std::string text;
  SLUICE_PASS(object.read("subnet", text));
  if (text.empty())
    return fail(object.wrong("subnet", "a range needs one"));
  const auto subnet = Cidr::parse(text);
  if (!subnet)
    return fail(object.wrong("subnet", subnet.error().what()));
  if (subnet->prefix_length() > subnet->address().bits() - kSpareBits)
    return fail(object.wrong("subnet", "too small to give out addresses (the longest prefix is /" +
                                           std::to_string(subnet->address().bits() - kSpareBits) +
                                           ")"));
  return *subnet;
}

/// Leaves `into` alone if the key is absent.
Outcome<> read_address(const ObjectReader &object, std::string_view key, const Cidr &subnet,
                       IpAddress &into) {
  std::string text;
  SLUICE_PASS(object.read(key, text));
  if (text.empty())
    return {};
  const auto ip = IpAddress::parse(text);
  if (!ip)
    return fail(object.wrong(key, ip.error().what()));
  if (!subnet.contains(*ip))
    return fail(object.wrong(key, "not in subnet " + subnet.str()));
  into = *ip;
  return {};
}

IpAddress last_usable(const Cidr &subnet) noexcept {
  return subnet.family() == Family::ipv4 ? subnet.last().advanced(-1) : subnet.last();
}

} // namespace

const Range *RangeSet::find(const IpAddress &ip) const noexcept {
  const auto found = std::find_if(ranges_.begin(), ranges_.end(),
                                  [&](const Range &range) { return range.contains(ip); });
  return found == ranges_.end() ? nullptr : &*found;
}

bool RangeSet::is_gateway(const IpAddress &ip) const noexcept {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range &range) { return range.gateway == ip; });
}

bool RangeSet::overlaps(const RangeSet &other) const noexcept {
  for (const auto &mine : ranges_)
    for (const auto &theirs : other.ranges_)
      if (overlap(mine, theirs))
        return true;
  return false;
}

std::string RangeSet::str() const {
  std::string text;
  for (const auto &range : ranges_)
    text += (text.empty() ? "" : ",") + range.start.str() + "-" + range.end.str();
  return text;
}

Outcome<Range> parse_range(const ObjectReader &object) {
  Range range;
  SLUICE_TAKE(range.subnet, read_subnet(object));
  range.gateway = range.subnet.first().advanced(1);
  range.start = range.subnet.first().advanced(1);
  range.end = last_usable(range.subnet);
  std::string gateway;
  SLUICE_PASS(object.read("gateway", gateway));
  if (!gateway.empty()) {
    // A gateway outside the subnet is odd, but people have it (onlink routes).
    const auto ip = IpAddress::parse(gateway);
    if (!ip || ip->family() != range.subnet.family())
      return fail(object.wrong("gateway", "no address of the subnet's family"));
    range.gateway = *ip;
  }
  SLUICE_PASS(read_address(object, "rangeStart", range.subnet, range.start));
  SLUICE_PASS(read_address(object, "rangeEnd", range.subnet, range.end));
  if (range.end < range.start)
    return fail(object.wrong("rangeEnd", "it is before the start, " + range.start.str()));
  return range;
}

Outcome<RangeSet> make_range_set(std::vector<Range> ranges, const std::string &name) {
  if (ranges.empty())
    return fail(Code::invalid_config, name + " is empty: a range set needs a range");
  for (auto range = ranges.begin(); range != ranges.end(); ++range) {
    if (range->subnet.family() != ranges.front().subnet.family())
      return fail(Code::invalid_config,
                  name + " mixes address families: " + ranges.front().subnet.str() + " and " +
                      range->subnet.str());
    for (auto other = ranges.begin(); other != range; ++other)
      if (overlap(*range, *other))
        return fail(Code::invalid_config,
                    name + " has ranges that overlap: " + RangeSet({*other, *range}).str());
  }
  return RangeSet(std::move(ranges));
}

Candidates::Candidates(const RangeSet &set, const std::optional<IpAddress> &last) : set_(&set) {
  const auto &ranges = set.ranges();
  const Range *found = last ? set.find(*last) : nullptr;
  if (found) {
    range_ = static_cast<std::size_t>(found - ranges.data());
    at_ = *last;
    advance();
  } else {
    at_ = ranges.front().start;
  }
  first_ = at_;
}

void Candidates::advance() {
  const auto &ranges = set_->ranges();
  if (at_ != ranges[range_].end) {
    at_ = at_.advanced(1);
    return;
  }
  range_ = (range_ + 1) % ranges.size();
  at_ = ranges[range_].start;
}

std::optional<IpAddress> Candidates::next() {
  for (;;) {
    if (begun_ && at_ == first_)
      return std::nullopt;
    begun_ = true;
    const IpAddress candidate = at_;
    advance();
    if (!set_->is_gateway(candidate))
      return candidate;
  }
}

} // namespace sluice::ipam
