#include "proxy/nftables/slots.hpp"

#include <algorithm>

namespace sluice::proxy::nftables {
namespace {

std::vector<SocketAddress> addresses_of(const BackendSet &backends) {
  std::vector<SocketAddress> addresses;
  addresses.reserve(backends.size());
  for (const auto &backend : backends)
    addresses.push_back(backend.address);
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

} // namespace

Slots next_slots(const Slots &now, const BackendSet &backends) {
  const auto wanted = addresses_of(backends);
  const auto place = [&](const SocketAddress &endpoint) -> std::optional<std::size_t> {
    const auto at = std::lower_bound(wanted.begin(), wanted.end(), endpoint);
    if (at == wanted.end() || *at != endpoint)
      return std::nullopt;
    return static_cast<std::size_t>(at - wanted.begin());
  };
  Slots next{.count = static_cast<std::uint32_t>(wanted.size()), .endpoints = {}};
  next.endpoints.resize(std::max(next.count, now.count), wanted.front());
  std::vector<bool> placed(wanted.size());
  std::vector<std::size_t> holes;
  for (std::size_t slot = 0; slot < next.endpoints.size(); ++slot) {
    const auto stays =
        slot < now.endpoints.size() && slot < now.count ? place(now.endpoints[slot]) : std::nullopt;
    if (stays)
      next.endpoints[slot] = now.endpoints[slot]; // behind `count`: the alias of a live endpoint
    if (slot >= next.count)
      continue;
    if (stays && !placed[*stays])
      placed[*stays] = true;
    else
      holes.push_back(slot);
  }
  auto hole = holes.begin();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!placed[i])
      next.endpoints[*hole++] = wanted[i];
  return next;
}

} // namespace sluice::proxy::nftables
