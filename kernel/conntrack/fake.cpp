#include "kernel/conntrack/fake.hpp"

#include <cerrno>

namespace sluice::kernel::conntrack::fake {

Result<> Conntrack::refuse() {
  if (failures == 0)
    return {};
  --failures;
  return fail(Error::from_errno(EPERM, "ctnetlink"));
}

Result<> Conntrack::each(const Filter &filter, const Visit &visit) {
  ++dumps;
  SLUICE_TRY(refuse(), "read the connection tracking table");
  const auto now = flows; // `visit` may remove some
  for (const auto &flow : now)
    if (flow.protocol == filter.protocol && flow.original.source.ip.family() == filter.family)
      visit(flow);
  return {};
}

Result<std::size_t> Conntrack::remove(std::span<const Flow> gone) {
  SLUICE_TRY(refuse(), "remove flows");
  std::size_t removed = 0;
  for (const auto &one : gone)
    removed += std::erase_if(flows, [&](const Flow &flow) {
      return flow.original == one.original && flow.protocol == one.protocol &&
             flow.zone == one.zone && (one.id == 0 || flow.id == one.id);
    });
  return removed;
}

} // namespace sluice::kernel::conntrack::fake
