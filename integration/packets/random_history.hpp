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
  explicit RandomHistory(unsigned seed) : random_(seed) {}

  Family family() { return chance(50) ? Family::ipv4 : Family::ipv6; }
  /// One statement.
  std::string change();
  /// "P->C:53/UDP".
  std::string question();
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool chance(unsigned percent) { return below(100) < percent; }

private:
  std::string service();
  std::string slice();
  std::string node();
  std::string removal();
  std::string ports();
  std::string endpoint();
  template <std::size_t N> const char *one_of(const char *const (&names)[N]) {
    return names[below(N)];
  }
  /// Some of them, in their order, with commas; "-" if none.
  template <std::size_t N> std::string some_of(const char *const (&names)[N], unsigned percent) {
    std::string list;
    for (const auto *name : names)
      if (chance(percent))
        list += (list.empty() ? "" : ",") + std::string(name);
    return list.empty() ? "-" : list;
  }

  std::mt19937 random_;
  std::vector<std::string> services_, slices_; ///< that are there
};

} // namespace sluice::integration::packets
