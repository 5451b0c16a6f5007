#pragma once
// Random Services, EndpointSlices, nodes and questions, in the words of the table of cases: what
// fails can be read, and pasted there.

#include "proxy/cases/case.hpp"
#include "proxy/cases/places.hpp"

#include <random>

namespace sluice::integration::packets {

/// The same seed, the same history.
class RandomHistory {
public:
  explicit RandomHistory(unsigned seed) : random_(seed), dual_(chance(25)), ipv6_(chance(50)) {}

  /// Of the addresses that do not say which. Both families take part in a dual history.
  Family family() const noexcept { return ipv6_ && !dual_ ? Family::ipv6 : Family::ipv4; }
  bool dual() const noexcept { return dual_; }
  unsigned rounds() { return 3 + below(6); }
  /// One statement.
  std::string change();
  /// "P->C:53/UDP".
  std::string question();
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool chance(unsigned percent) { return below(100) < percent; }

private:
  std::string service();
  std::string addresses(const std::string &type);
  std::string cluster_ips();
  std::string policies();
  std::string slice();
  std::string node();
  std::string removal();
  std::string ports(bool with_node_ports);
  std::string endpoint(const std::string &suffix);
  /// The name of an address of either family in a dual history.
  std::string of_a_family(const std::string &name) {
    return dual_ && chance(50) ? name + "6" : name;
  }
  template <std::size_t N> const char *one_of(const char *const (&names)[N]) {
    return names[below(N)];
  }
  /// Some of them, in their order, with commas; "-" if none.
  template <std::size_t N> std::string some_of(const char *const (&names)[N], unsigned percent) {
    std::string list;
    for (const auto *name : names)
      if (chance(percent))
        list += (list.empty() ? "" : ",") + of_a_family(name);
    return list.empty() ? "-" : list;
  }

  std::mt19937 random_;
  bool dual_, ipv6_, holds_ = false;
  std::vector<std::string> services_, slices_; ///< that are there
};

} // namespace sluice::integration::packets
