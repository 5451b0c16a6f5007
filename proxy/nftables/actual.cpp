#include "proxy/nftables/actual.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

class TakeData final : public ElementSink {
public:
  explicit TakeData(Elements &elements) : elements_(elements) {}
  void begin() override { elements_.clear(); }
  void take(Element &&element) override { elements_.emplace(element.key, element.data); }

private:
  Elements &elements_;
};

class TakeVerdicts final : public ElementSink {
public:
  explicit TakeVerdicts(std::map<std::uint32_t, std::string> &verdicts) : verdicts_(verdicts) {}
  void begin() override { verdicts_.clear(); }
  void take(Element &&element) override {
    verdicts_[element.key.u32_at(0)] = element.verdict ? element.verdict->str() : "";
  }

private:
  std::map<std::uint32_t, std::string> &verdicts_;
};

Result<> read_elements(Nft &nft, const TableId &table, Actual &actual) {
  for (const auto &set : actual.sets) {
    if (set.name == kAffinity)
      continue; // the packets' own
    if (set.verdicts) {
      TakeVerdicts take(actual.verdicts[set.name]);
      SLUICE_TRY(nft.read_elements(table, set.name, take), "read back");
    } else {
      TakeData take(actual.elements[set.name]);
      SLUICE_TRY(nft.read_elements(table, set.name, take), "read back");
    }
  }
  return {};
}

bool same_but_size(SetInfo a, const SetInfo &b) {
  a.size = b.size;
  return a == b;
}

} // namespace

bool Actual::has_chain(const std::string &name) const {
  return std::any_of(chains.begin(), chains.end(),
                     [&](const Chain &chain) { return chain.name == name; });
}

const SetInfo *Actual::set(const std::string &name) const {
  const auto found = std::find_if(sets.begin(), sets.end(),
                                  [&](const SetInfo &info) { return info.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

const Elements &Actual::of(const std::string &name) const {
  static const Elements none;
  const auto found = elements.find(name);
  return found == elements.end() ? none : found->second;
}

Sizes Actual::sizes() const {
  const auto size = [&](const char *name) {
    const auto *found = set(name);
    return found == nullptr ? 0 : found->size;
  };
  return {.frontends = size(kFrontends),
          .nodePorts = size(kNodePorts),
          .sets = size(kCounts),
          .slots = size(kSlots),
          .hairpins = size(kHairpin),
          .ranges = size(kRanges),
          .members = size(kMembers)};
}

Result<Actual> read_actual(Nft &nft, const TableId &table) {
  Actual actual;
  SLUICE_ASSIGN(const auto info, nft.read_table(table), "read back");
  if (!info)
    return actual;
  actual.exists = true;
  actual.comment = info->comment;
  if (actual.comment != layout_mark())
    return actual;
  SLUICE_ASSIGN(actual.chains, nft.read_chains(table), "read back");
  SLUICE_ASSIGN(actual.sets, nft.read_sets(table), "read back");
  SLUICE_ASSIGN(const auto rules, nft.read_rules(table), "read back");
  for (const auto &rule : rules)
    actual.rules[rule.chain].push_back(rule.text);
  SLUICE_TRY(read_elements(nft, table, actual), "read back");
  return actual;
}

Adoptable adoptable(const Actual &actual, Family family) {
  if (!actual.exists)
    return {false, "there is no table"};
  if (actual.comment != layout_mark())
    return {false, "the table is of another layout (\"" + actual.comment + "\")"};
  const auto ours = constant_chains();
  for (const auto &chain : actual.chains) {
    const auto wanted = std::find_if(ours.begin(), ours.end(),
                                     [&](const Chain &c) { return c.name == chain.name; });
    if (wanted == ours.end() ? chain.base || !is_variable_chain(chain.name) : chain != *wanted)
      return {false, "chain \"" + chain.name + "\" is not as we make it"};
  }
  // Sizes grow; a set that is missing is made.
  const auto wanted = maps(family, {});
  for (const auto &set : actual.sets)
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const Set &s) { return same_but_size(info_of(s), set); }))
      return {false, "map \"" + set.name + "\" is not as we make it"};
  return {true, {}};
}

} // namespace sluice::proxy::nftables
