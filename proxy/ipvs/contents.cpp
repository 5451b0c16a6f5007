#include "proxy/ipvs/contents.hpp"

namespace sluice::proxy::ipvs {

using namespace kernel::nft;

bool same_rules(const std::vector<Rule> &a, const std::vector<Rule> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Rule &x, const Rule &y) {
    return text_of(TableFamily::ipv4, x) == text_of(TableFamily::ipv4, y);
  });
}

void Contents::add(const std::string &set, Element element) {
  const Key key{set, element.key};
  auto &counted = elements_[key];
  before_.try_emplace(key, counted.count == 0 ? std::nullopt : std::optional(counted.element));
  if (counted.count++ == 0)
    counted.element = std::move(element);
}

void Contents::drop(const std::string &set, const Value &value) {
  const auto found = elements_.find({set, value});
  if (found == elements_.end())
    return;
  before_.try_emplace(found->first, found->second.element);
  if (--found->second.count == 0)
    elements_.erase(found);
}

void Contents::add_chain(const std::string &chain, std::vector<Rule> rules) {
  auto &counted = chains_[chain];
  chains_before_.try_emplace(chain,
                             counted.count == 0 ? std::nullopt : std::optional(counted.rules));
  if (counted.count++ == 0)
    counted.rules = std::move(rules);
}

void Contents::drop_chain(const std::string &chain) {
  const auto found = chains_.find(chain);
  if (found == chains_.end())
    return;
  chains_before_.try_emplace(chain, found->second.rules);
  if (--found->second.count == 0)
    chains_.erase(found);
}

void Contents::take_changes(Batch &change, Batch &after) {
  for (const auto &[chain, before] : chains_before_) {
    const auto now = chains_.find(chain);
    if (now == chains_.end()) {
      if (before)
        after.remove_chain(chain);
      continue;
    }
    if (before && same_rules(*before, now->second.rules))
      continue;
    if (before)
      change.flush_chain(chain);
    else
      change.add(Chain{chain, {}});
    for (const auto &rule : now->second.rules)
      change.add(rule);
  }
  for (const auto &[key, before] : before_) {
    const auto now = elements_.find(key);
    if (now == elements_.end()) {
      if (before)
        change.remove(key.first, key.second);
    } else if (!before) {
      change.add(key.first, now->second.element);
    } else if (*before != now->second.element) {
      change.replace(key.first, now->second.element);
    }
  }
  forget_changes();
}

void Contents::forget_changes() {
  before_.clear();
  chains_before_.clear();
}

std::map<std::string, Elements> Contents::elements() const {
  std::map<std::string, Elements> all;
  for (const auto &[key, counted] : elements_)
    all[key.first].emplace(key.second, counted.element);
  return all;
}

std::map<std::string, std::vector<Rule>> Contents::chains() const {
  std::map<std::string, std::vector<Rule>> all;
  for (const auto &[name, counted] : chains_)
    all.emplace(name, counted.rules);
  return all;
}

} // namespace sluice::proxy::ipvs
