#pragma once
// Which addresses may be given out, and in which order. Pure.

#include "cni/protocol/error.hpp"
#include "cni/protocol/json.hpp"
#include "net/ip_address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::ipam {

/// A part of a subnet, both ends included.
struct Range {
  Cidr subnet;
  IpAddress start, end;
  IpAddress gateway; ///< never given out
  bool contains(const IpAddress &ip) const noexcept {
    return start <= ip && ip <= end && ip.family() == subnet.family();
  }
  friend bool operator==(const Range &, const Range &) = default;
};

/// One address is given out of each set: of the same family, no two ranges overlap.
class RangeSet {
public:
  explicit RangeSet(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}
  const std::vector<Range> &ranges() const noexcept { return ranges_; }
  Family family() const noexcept { return ranges_.front().subnet.family(); }
  /// The range that holds `ip`, or nullptr.
  const Range *find(const IpAddress &ip) const noexcept;
  bool is_gateway(const IpAddress &ip) const noexcept;
  bool overlaps(const RangeSet &other) const noexcept;
  /// "10.1.0.2-10.1.0.254,10.2.0.2-10.2.0.254"
  std::string str() const;

private:
  std::vector<Range> ranges_;
};

/// Reads {subnet, rangeStart, rangeEnd, gateway}. Defaults: from network + 1 to the last address
/// (for IPv4 the one before the broadcast address), gateway network + 1. Errors of code 7 name the
/// key.
cni::Outcome<Range> parse_range(const cni::ObjectReader &object);

/// At least one range, one family, no overlap. `name` is how the error calls the set.
cni::Outcome<RangeSet> make_range_set(std::vector<Range> ranges, const std::string &name);

/// The candidates of a set in round robin order: from the address after `last` (or from the start
/// of the first range if `last` is in none), across all ranges, once round, `last` itself at the
/// very end. Gateways are passed over.
class Candidates {
public:
  /// `set` must outlive this.
  Candidates(const RangeSet &set, const std::optional<IpAddress> &last);
  /// nullopt when the circle is closed.
  std::optional<IpAddress> next();

private:
  void advance();
  const RangeSet *set_;
  std::size_t range_ = 0;
  IpAddress at_;
  IpAddress first_;
  bool begun_ = false;
};

} // namespace sluice::ipam
