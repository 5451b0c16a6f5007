#include "node/masquerade.hpp"

#include <algorithm>

namespace sluice::node {
namespace {

namespace nft = kernel::nft;

constexpr const char *kLayout = "sluice-node layout 1";
constexpr const char *kChain = "postrouting";

std::string set_name(const char *what, Family family) {
  return std::string(what) + (family == Family::ipv4 ? "4" : "6");
}

std::vector<nft::Set> layout_sets() {
  std::vector<nft::Set> sets;
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto *what : {"pods", "cluster"})
      sets.push_back({.name = set_name(what, family),
                      .key = {family == Family::ipv4 ? nft::Type::ipv4_addr : nft::Type::ipv6_addr},
                      .interval = true});
  return sets;
}

nft::Chain layout_chain() {
  return {kChain, nft::BaseChain{.type = nft::ChainType::nat,
                                 .hook = nft::Hook::postrouting,
                                 .priority = nft::kPrioritySrcnat}};
}

nft::Rule layout_rule(Family family) {
  const bool v4 = family == Family::ipv4;
  const std::uint32_t bytes = v4 ? 4 : 16;
  const nft::Exprs from_our_pods = {
      nft::Payload{nft::PayloadBase::network, v4 ? 12U : 8U, bytes, 0},
      nft::Lookup{.set = set_name("pods", family), .sreg = 0}};
  const nft::Exprs out_of_the_cluster = {
      nft::Payload{nft::PayloadBase::network, v4 ? 16U : 24U, bytes, 0},
      nft::Lookup{.set = set_name("cluster", family), .sreg = 0, .invert = true}};
  const auto multicast = Cidr::parse(v4 ? "224.0.0.0/4" : "ff00::/8").value();
  return {kChain, nft::join({nft::only_family(family), from_our_pods, out_of_the_cluster,
                             nft::destination_in(multicast, true), nft::Exprs{nft::Masquerade{}}})};
}

std::map<std::string, SetEnds> contents(const Desired &desired) {
  std::map<std::string, SetEnds> sets;
  for (const auto &set : layout_sets())
    sets[set.name];
  const auto put = [&](const char *what, const std::vector<AddressRange> &ranges) {
    for (const auto &range : ranges) {
      auto &set = sets[set_name(what, range.first.family())];
      set.emplace(nft::field(range.first), false);
      if (const auto behind = range.last.advanced(1); !behind.is_unspecified())
        set.emplace(nft::field(behind), true);
    }
  };
  put("pods", desired.pods);
  put("cluster", desired.cluster);
  return sets;
}

void add_elements(nft::Batch &batch, const std::string &set, const SetEnds &ends) {
  for (const auto &[key, is_end] : ends)
    batch.add(set, nft::Element{.key = key, .interval_end = is_end});
}

Result<bool> layout_is_right(nft::Nft &nft) {
  const auto id = masquerade_table();
  SLUICE_ASSIGN(const auto table, nft.read_table(id), "read table " + id.str());
  if (!table || table->comment != kLayout)
    return false;
  SLUICE_ASSIGN(const auto chains, nft.read_chains(id), "read table " + id.str());
  if (chains != std::vector<nft::Chain>{layout_chain()})
    return false;
  SLUICE_ASSIGN(auto sets, nft.read_sets(id), "read table " + id.str());
  const auto wanted = layout_sets();
  const bool same_sets =
      sets.size() == wanted.size() &&
      std::all_of(wanted.begin(), wanted.end(), [&](const nft::Set &set) {
        return std::find(sets.begin(), sets.end(), nft::info_of(set)) != sets.end();
      });
  if (!same_sets)
    return false;
  SLUICE_ASSIGN(const auto rules, nft.read_rules(id), "read table " + id.str());
  return rules.size() == 2 && rules[0].text == nft::text_of(id.family, layout_rule(Family::ipv4)) &&
         rules[1].text == nft::text_of(id.family, layout_rule(Family::ipv6));
}

} // namespace

nft::TableId masquerade_table() { return {nft::TableFamily::inet, "sluice-node"}; }

Result<MasqueradeState> read_masquerade(nft::Nft &nft) {
  MasqueradeState state;
  SLUICE_ASSIGN(state.layout_is_right, layout_is_right(nft), "masquerade");
  if (!state.layout_is_right)
    return state;
  for (const auto &set : layout_sets()) {
    SLUICE_ASSIGN(const auto elements, nft.elements(masquerade_table(), set.name),
                  "read set " + set.name);
    auto &ends = state.sets[set.name];
    for (const auto &element : elements)
      ends.emplace(element.key, element.interval_end);
  }
  return state;
}

nft::Batch plan_masquerade(const MasqueradeState &actual, const Desired &desired) {
  nft::Batch batch(masquerade_table());
  const auto wanted = contents(desired);
  if (!actual.layout_is_right) {
    batch.destroy_table().add_table(kLayout);
    for (const auto &set : layout_sets())
      batch.add(set);
    batch.add(layout_chain());
    for (const auto family : {Family::ipv4, Family::ipv6})
      batch.add(layout_rule(family));
    for (const auto &[set, ends] : wanted)
      add_elements(batch, set, ends);
    return batch;
  }
  for (const auto &[set, ends] : wanted) {
    const auto held = actual.sets.find(set);
    if (held != actual.sets.end() && held->second == ends)
      continue;
    batch.flush_set(set);
    add_elements(batch, set, ends);
  }
  return batch;
}

} // namespace sluice::node
