// The rules of chains that come with the first backend set of a size, with the first timeout of
// session affinity, with the first prefix length of source ranges. None of them names a service.

#include "proxy/nftables/registers.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

/// A source of this network may come in.
Rule range_rule(Family family, std::uint8_t prefix) {
  const Registers r(family);
  const auto length = static_cast<Reg>(r.words() + 2), network = static_cast<Reg>(length + 1);
  Exprs exprs{r.destination(0), Meta{MetaKey::l4proto, r.words()},
              Payload{PayloadBase::transport, 2, 2, static_cast<Reg>(r.words() + 1)},
              Immediate{length, field_u32(prefix)}, r.source(network)};
  const std::array<std::uint8_t, 16> zeros{};
  const std::size_t bytes = family == Family::ipv4 ? 4 : 16;
  const Cidr all(IpAddress::from_bytes(std::span(zeros).first(bytes)), prefix);
  if (prefix < bytes * 8)
    exprs.emplace_back(
        Bitwise{network, network, field(all.netmask()), field(std::span(zeros).first(bytes))});
  exprs.emplace_back(Lookup{.set = kRanges, .sreg = 0});
  exprs.emplace_back(Verdict{VerdictCode::return_, {}});
  return {.chain = kRangesChain,
          .exprs = std::move(exprs),
          .comment = "sources of a /" + std::to_string(prefix)};
}

} // namespace

std::vector<Rule> range_rules(Family family, const std::set<std::uint8_t> &prefixes) {
  std::vector<Rule> rules;
  for (const auto prefix : prefixes)
    rules.push_back(range_rule(family, prefix));
  rules.push_back({.chain = kRangesChain, .exprs = drop()});
  return rules;
}

std::vector<Rule> pick_rules(Family family, Source source, std::uint32_t count,
                             const Options &options) {
  const Registers r(family);
  const auto slot = static_cast<Reg>(r.set(source) + 1); // behind the set: they are the key
  struct Choice {
    Exprs slot;
    std::string comment;
  };
  // Whoever came here knows the count of some moments ago. The first slot is there at any moment.
  const std::array choices{
      Choice{{Numgen{.dreg = slot, .modulus = count}}, "dnat to @slots of (set . random slot)"},
      Choice{{Immediate{slot, field_u32(0)}}, "changed meanwhile: dnat to @slots of (set . 0)"}};
  std::vector<Rule> rules;
  for (const auto by : kBoth)
    for (const auto &choice : choices)
      rules.push_back(
          {.chain = pick_chain(source, count),
           // The frontend may be gone since the packet was sent here. A nodePort with the
           // number of its port is no substitute: those are for local addresses.
           .exprs = join({by == By::node_port ? destination_is_local() : Exprs{},
                          r.load(by),
                          choice.slot,
                          {Lookup{.set = kSlots, .sreg = r.set(source), .dreg = Reg(0)}},
                          set_ct_mark_bits(options.ownershipCtMarkBit, r.service()),
                          {Nat{.family = family, .address = Reg(0), .port = r.words()}}}),
           .comment = choice.comment});
  return rules;
}

std::vector<Rule> remember_rules(Family family, std::uint32_t seconds) {
  const Registers r(family);
  std::vector<Rule> rules;
  for (const auto by : kBoth)
    rules.push_back({.chain = remember_chain(seconds),
                     .exprs = join({r.load_original(by),
                                    {r.original_source(r.client()), r.destination(0),
                                     Payload{PayloadBase::transport, 2, 2, r.words()},
                                     Dynset{.set = kAffinity,
                                            .op = DynsetOp::update,
                                            .sreg_key = r.service(),
                                            .sreg_data = Reg(0),
                                            .timeout = std::chrono::seconds(seconds)},
                                     Verdict{VerdictCode::return_, {}}}}),
                     .comment = "(service . client) in @affinity is this endpoint"});
  return rules;
}

} // namespace sluice::proxy::nftables
