#pragma once
// Pools of addresses and ports in which a low band is kept for people who ask for a number of their
// own (KEP-3070, KEP-3668): automatic allocation takes from above it while there is room. Values;
// not thread-safe.

#include "net/ip_address.hpp"

#include <random>
#include <set>

namespace sluice::controlplane {

using Random = std::mt19937_64;

/// Numbers 0..size-1 with a band.
class BandedPool {
public:
  BandedPool(std::uint64_t size, std::uint64_t band) : size_(size), band_(band) {}
  /// False if it is taken already.
  bool take(std::uint64_t number) { return taken_.insert(number).second; }
  void release(std::uint64_t number) { taken_.erase(number); }
  bool is_taken(std::uint64_t number) const { return taken_.count(number) != 0; }
  /// Takes a free number, random within the upper band, else within the lower one. exhausted if
  /// there is none.
  Result<std::uint64_t> take_any(Random &random);
  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t band() const noexcept { return band_; }

private:
  std::optional<std::uint64_t> free_between(std::uint64_t begin, std::uint64_t end,
                                            Random &random) const;
  std::uint64_t size_, band_;
  std::set<std::uint64_t> taken_;
};

/// The service addresses of one CIDR. The network's first address is never given, nor the last one
/// of an IPv4 network; of a very large network the first 2^32 addresses are used.
class AddressPool {
public:
  explicit AddressPool(Cidr range);
  const Cidr &range() const noexcept { return range_; }
  /// invalid_input: outside of the range; already_exists: taken.
  Result<> take(const IpAddress &ip);
  void release(const IpAddress &ip);
  Result<IpAddress> take_any(Random &random);

private:
  std::optional<std::uint64_t> index_of(const IpAddress &ip) const;
  Cidr range_;
  BandedPool pool_;
};

struct PortRange {
  std::int32_t first = 30000, last = 32767;
  std::string str() const { return std::to_string(first) + "-" + std::to_string(last); }
};

class PortPool {
public:
  explicit PortPool(PortRange range);
  /// invalid_input: outside of the range; already_exists: taken.
  Result<> take(std::int64_t port);
  void release(std::int64_t port);
  Result<std::int32_t> take_any(Random &random);

private:
  PortRange range_;
  BandedPool pool_;
};

/// podCIDRs: equal subnets of one cluster CIDR, the lowest free one first.
class SubnetPool {
public:
  SubnetPool(Cidr cluster, unsigned node_prefix);
  Family family() const noexcept { return cluster_.family(); }
  /// Marks every subnet that `cidr` overlaps; false if it is not inside the cluster CIDR.
  bool occupy(const Cidr &cidr);
  void release(const Cidr &cidr);
  /// exhausted if every subnet is in use.
  Result<Cidr> take_any();

private:
  std::optional<std::uint64_t> index_of(const Cidr &cidr) const;
  Cidr cluster_;
  unsigned prefix_;
  std::set<std::uint64_t> taken_;
};

} // namespace sluice::controlplane
