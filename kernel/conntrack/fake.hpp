#pragma once

#include "kernel/conntrack/conntrack.hpp"

#include <vector>

namespace sluice::kernel::conntrack::fake {

/// The table in memory. Keeps the kernel's rules: a flow is found by its original tuple, zone and
/// protocol, and, if the caller knows it, by its id. Not thread-safe.
class Conntrack final : public conntrack::Conntrack {
public:
  std::vector<Flow> flows; ///< what is there
  unsigned dumps = 0;      ///< calls of `each`
  unsigned failures = 0;   ///< so many of the next calls fail

  Result<> each(const Filter &filter, const Visit &visit) override;
  Result<std::size_t> remove(std::span<const Flow> gone) override;

private:
  Result<> refuse();
};

} // namespace sluice::kernel::conntrack::fake
