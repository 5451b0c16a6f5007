#include "proxy/model/backend_sets.hpp"

#include "net/hash.hpp"

namespace sluice::proxy {
namespace {

std::size_t hash_of(const BackendSet &set) {
  std::size_t hash = set.size();
  for (const auto &backend : set)
    hash = hash * 1099511628211ULL ^ std::hash<SocketAddress>{}(backend.address) ^
           (backend.local ? 2U : 0U) ^ (backend.terminating ? 4U : 0U);
  return hash;
}

} // namespace

void BackendSets::release(BackendSetId id) {
  if (id.value != 0 && --users_.at(id) == 0)
    released_.push_back(id);
}

BackendSetId BackendSets::acquire(BackendSet wanted, BackendSetId previous,
                                  const std::string &owner) {
  if (wanted.empty())
    return BackendSetId{};
  const auto hash = hash_of(wanted);
  auto id = find(wanted, hash);
  if (!id) {
    const auto kept = users_.find(previous);
    id = kept != users_.end() && kept->second == 0 ? previous : new_id(owner);
    assign(*id, std::move(wanted), hash);
  }
  ++users_[*id];
  return *id;
}

void BackendSets::finish(TableDelta &delta) {
  for (const auto &id : released_) {
    const auto users = users_.find(id);
    if (users == users_.end() || users->second != 0)
      continue;
    remember(id);
    forget_content(id);
    sets_.erase(id);
    users_.erase(users);
  }
  released_.clear();
  for (auto &[id, before] : before_) {
    const auto now = sets_.find(id);
    if (now == sets_.end()) {
      if (before)
        delta.removeBackends.push_back(id);
    } else if (!before || *before != now->second) {
      delta.setBackends.emplace(id, now->second);
    }
  }
  before_.clear();
}

std::optional<BackendSetId> BackendSets::find(const BackendSet &wanted, std::size_t hash) const {
  const auto [first, last] = by_content_.equal_range(hash);
  for (auto at = first; at != last; ++at)
    if (sets_.at(at->second) == wanted)
      return at->second;
  return std::nullopt;
}

BackendSetId BackendSets::new_id(const std::string &owner) const {
  const auto hash = fnv1a_64(owner);
  BackendSetId id{static_cast<std::uint32_t>(hash ^ (hash >> 32))};
  while (id.value == 0 || sets_.count(id) != 0)
    ++id.value;
  return id;
}

void BackendSets::remember(BackendSetId id) {
  const auto known = sets_.find(id);
  before_.try_emplace(id, known == sets_.end() ? std::nullopt : std::optional(known->second));
}

void BackendSets::assign(BackendSetId id, BackendSet set, std::size_t hash) {
  remember(id);
  forget_content(id);
  sets_.insert_or_assign(id, std::move(set));
  by_content_.emplace(hash, id);
}

void BackendSets::forget_content(BackendSetId id) {
  const auto known = sets_.find(id);
  if (known == sets_.end())
    return;
  const auto [first, last] = by_content_.equal_range(hash_of(known->second));
  for (auto at = first; at != last; ++at)
    if (at->second == id) {
      by_content_.erase(at);
      return;
    }
}

} // namespace sluice::proxy
