#include "proxy/nftables/drift.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

std::string words_of(Family family, const std::string &set, const Value &key) {
  const std::size_t length = family == Family::ipv4 ? 4 : 16;
  const auto ip = [&](std::size_t at) {
    return IpAddress::from_bytes(key.bytes().subspan(at, length));
  };
  const auto protocol = [&](std::size_t at) {
    return "/" + std::string(name_of(Protocol{key.bytes()[at]}));
  };
  if ((set == kFrontends || set == kRanges) && key.size() >= length + 8)
    return SocketAddress{ip(0), Port(key.be16_at(length + 4))}.str() + protocol(length) +
           (set == kRanges
                ? " from " + ip(length + 12).str() + "/" + std::to_string(key.u32_at(length + 8))
                : "");
  if (set == kNodePorts)
    return std::to_string(key.be16_at(4)) + protocol(0);
  if (set == kSlots)
    return "set " + std::to_string(key.u32_at(0)) + " slot " + std::to_string(key.u32_at(4));
  if (set == kMembers)
    return "set " + std::to_string(key.u32_at(0)) + " endpoint " +
           SocketAddress{ip(4), Port(key.be16_at(length + 4))}.str();
  if ((set == kClusterIps || set == kHairpin || set == kNodePortIps) && key.size() >= length)
    return ip(0).str();
  return std::to_string(key.u32_at(0));
}

/// What happens to one key: removed, added, or both.
struct Change {
  bool removed = false, added = false;
};

std::string verdict_on(const Change &change) {
  if (change.removed && change.added)
    return " is not as it should be";
  return change.added ? " is missing" : " should not be there";
}

} // namespace

Drift drift_of(Family family, const Plan &plan) {
  std::map<std::pair<std::string, Value>, Change> elements;
  std::map<std::string, Change> others;
  const auto look_at = [&](const Batch &batch) {
    for (const auto &op : batch.ops()) {
      const bool removes = op.verb == Verb::remove || op.verb == Verb::flush;
      if (const auto *of_set = std::get_if<ElementsOp>(&op.object)) {
        for (const auto &element : of_set->elements) {
          auto &change = elements[{of_set->set, element.key}];
          (removes ? change.removed : change.added) = true;
        }
        continue;
      }
      std::string name = "table";
      if (const auto *chain = std::get_if<Chain>(&op.object))
        name = "chain " + chain->name;
      else if (const auto *set = std::get_if<Set>(&op.object))
        name = "map " + set->name;
      else if (const auto *rule = std::get_if<Rule>(&op.object))
        name = "rules of chain " + rule->chain;
      else if (const auto *flush = std::get_if<FlushChain>(&op.object))
        name = "rules of chain " + flush->chain;
      auto &change = others[name];
      (removes ? change.removed : change.added) = true;
    }
  };
  for (const auto &batch : plan.before)
    look_at(batch);
  look_at(plan.change);
  Drift drift;
  for (const auto &[name, change] : others)
    drift.differences.push_back(name + verdict_on(change));
  for (const auto &[element, change] : elements)
    drift.differences.push_back(element.first + ": " +
                                words_of(family, element.first, element.second) +
                                verdict_on(change));
  return drift;
}

} // namespace sluice::proxy::nftables
