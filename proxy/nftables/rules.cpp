// The constant rules. Registers are 32 bits wide; a rule reads only what it has written itself.
//
// A map's data begins with the flags and not with a set id for the sake of nft 1.0.6 (Debian 12):
// it aborts on a rule that looks up what lies in the first register of another map's data.

#include "proxy/nftables/layout.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

/// Where the parts lie that most rules load.
struct Registers {
  bool v4;
  explicit Registers(Family family) : v4(family == Family::ipv4) {}
  Reg words() const { return v4 ? 1 : 4; } ///< of an address
  Reg key() const { return 0; }            ///< addr . proto . port
  Reg data() const { return v4 ? 4 : 8; }  ///< flags, set pod, node, outside
  Reg flags() const { return data(); }
  Reg set(Source source) const { return static_cast<Reg>(data() + 1 + static_cast<Reg>(source)); }
  Reg spare() const { return static_cast<Reg>(data() + 4); }
  Payload source(Reg reg) const {
    return {PayloadBase::network, v4 ? 12U : 8U, v4 ? 4U : 16U, reg};
  }
  Payload destination(Reg reg) const {
    return {PayloadBase::network, v4 ? 16U : 24U, v4 ? 4U : 16U, reg};
  }
  /// Loads the frontend's data, or ends the rule: the packet is for none.
  Exprs load_frontend() const {
    return {destination(0), Meta{MetaKey::l4proto, words()},
            Payload{PayloadBase::transport, 2, 2, static_cast<Reg>(words() + 1)},
            Lookup{.set = kFrontends, .sreg = key(), .dreg = data()}};
  }
  Exprs flag_is_set(std::uint32_t flag) const {
    return {Bitwise{flags(), flags(), field_u32(flag), field_u32(0)},
            Cmp{CmpOp::ne, flags(), field_u32(0)}};
  }
};

std::string from_chain(Source source) { return "from-" + std::string(name_of(source)); }
std::string check_chain(Source source) { return "check-" + std::string(name_of(source)); }
std::string empty_chain(Source source) { return "empty-" + std::string(name_of(source)); }

/// One phrase for each way to be a local pod; none if nobody is.
std::vector<Exprs> is_pod(const LocalDetector &detector) {
  switch (detector.kind) {
  case LocalDetector::Kind::cidr: {
    std::vector<Exprs> phrases;
    for (const auto &cidr : detector.cidrs)
      phrases.push_back(source_in(cidr));
    return phrases;
  }
  case LocalDetector::Kind::interface_name:
    return {input_interface(detector.interface)};
  case LocalDetector::Kind::interface_prefix:
    return {input_interface(detector.interface + "*")};
  case LocalDetector::Kind::none:
    break;
  }
  return {};
}

using Rules = std::map<std::string, std::vector<Rule>>;

class Builder {
public:
  Builder(Family family, const NodeInfo &node, const Options &options)
      : family_(family), node_(node), options_(options), registers_(family) {}

  Rules build() {
    for (const auto &chain : constant_chains())
      rules_[chain.name]; // a chain without rules is a statement too
    translate();
    for (const auto source : kSources) {
      from(source);
      check(source);
    }
    unmatched();
    masquerade();
    return std::move(rules_);
  }

private:
  /// `comment`: for readers of `nft list`, which cannot print what works on loaded map data.
  void add(const std::string &chain, std::initializer_list<Exprs> phrases,
           std::string comment = {}) {
    rules_[chain].push_back(
        Rule{.chain = chain, .exprs = join(phrases), .comment = std::move(comment)});
  }

  /// goto `prefix`-<class of the source>. What the node sends itself has no input interface, but
  /// may have a pod's address.
  void by_source(const std::string &chain, std::string (*target)(Source), Source otherwise) {
    const bool by_address = node_.localDetector.kind == LocalDetector::Kind::cidr;
    if (by_address || otherwise == Source::outside)
      for (const auto &phrase : is_pod(node_.localDetector))
        add(chain, {phrase, go_to(target(Source::pod))});
    add(chain, {go_to(target(otherwise))});
  }

  void translate() {
    by_source("nat-prerouting", from_chain, Source::outside);
    by_source("nat-output", from_chain, Source::node);
  }

  void from(Source source) {
    const auto chain = from_chain(source);
    add(chain, {registers_.load_frontend(), registers_.flag_is_set(masquerade_flag(source)),
                set_mark_bits(masquerade_bit())});
    add(chain,
        {registers_.load_frontend(),
         {Lookup{.set = kCounts, .sreg = registers_.set(source), .dreg = registers_.spare()},
          Lookup{.set = dispatch_map(source), .sreg = registers_.spare(), .to_verdict = true}}},
        "frontend -> set -> @counts -> @" + dispatch_map(source));
  }

  void check(Source source) {
    add(check_chain(source),
        {registers_.load_frontend(),
         {Cmp{CmpOp::eq, registers_.set(source), field_u32(0)}},
         go_to(empty_chain(source))},
        "only a frontend whose set is empty");
    add(empty_chain(source),
        {registers_.load_frontend(), registers_.flag_is_set(drop_flag(source)), drop()});
    add(empty_chain(source), {reject()});
  }

  /// New connections that nothing translated: an empty set, then an address without that port.
  void unmatched() {
    add("filter-input", {ct_state(kCtNew), go_to("new-input")});
    add("filter-forward", {ct_state(kCtNew), go_to("new-forward")});
    add("filter-output", {ct_state(kCtNew), go_to("new-output")});
    by_source("new-input", check_chain, Source::outside);
    add("new-forward", {jump("new-input")});
    add("new-forward", {go_to("unmatched")});
    add("new-output", {jump("new-local")});
    add("new-output", {go_to("unmatched")});
    by_source("new-local", check_chain, Source::node);
    add("unmatched",
        {{registers_.destination(0), Lookup{.set = kClusterIps, .sreg = 0}}, reject()});
    for (const auto &cidr : node_.serviceCidrs)
      if (cidr.family() == family_)
        add("unmatched", {destination_in(cidr), drop()});
  }

  void masquerade() {
    const std::string chain = "nat-postrouting";
    add(chain, {mark_has(masquerade_bit()), clear_mark_bits(masquerade_bit()), {Masquerade{}}});
    add(chain, {ct_mark_has(options_.ownershipCtMarkBit),
                {registers_.source(0), registers_.destination(registers_.words()),
                 Lookup{.set = kHairpin, .sreg = 0}, Masquerade{}}});
  }

  std::uint32_t masquerade_bit() const { return 1U << (node_.masqueradeBit & 31U); }
  Exprs reject() const { return {Reject{.family = table_family(family_)}}; }

  Family family_;
  const NodeInfo &node_;
  const Options &options_;
  Registers registers_;
  Rules rules_;
};

} // namespace

std::vector<Chain> constant_chains() {
  const auto nat = [](Hook hook, int priority) {
    return BaseChain{ChainType::nat, hook, priority};
  };
  const auto filter = [](Hook hook) { return BaseChain{ChainType::filter, hook, kPriorityFilter}; };
  std::vector<Chain> chains = {
      {.name = "nat-prerouting", .base = nat(Hook::prerouting, kPriorityDstnat)},
      {.name = "nat-output", .base = nat(Hook::output, kPriorityDstnat)},
      {.name = "nat-postrouting", .base = nat(Hook::postrouting, kPrioritySrcnat)},
      {.name = "filter-input", .base = filter(Hook::input)},
      {.name = "filter-forward", .base = filter(Hook::forward)},
      {.name = "filter-output", .base = filter(Hook::output)},
      {.name = "new-input"},
      {.name = "new-forward"},
      {.name = "new-output"},
      {.name = "new-local"},
      {.name = "unmatched"},
  };
  for (const auto source : kSources)
    for (const auto &name : {from_chain(source), check_chain(source), empty_chain(source)})
      chains.push_back({.name = name});
  return chains;
}

std::map<std::string, std::vector<Rule>> constant_rules(Family family, const NodeInfo &node,
                                                        const Options &options) {
  return Builder(family, node, options).build();
}

Rule pick_rule(Family family, Source source, std::uint32_t count, const Options &options) {
  const Registers r(family);
  const auto slot = static_cast<Reg>(r.set(source) + 1); // behind the set id: they are the key
  return {.chain = pick_chain(source, count),
          .exprs = join({r.load_frontend(),
                         {Numgen{.dreg = slot, .modulus = count},
                          Lookup{.set = kSlots, .sreg = r.set(source), .dreg = Reg(0)}},
                         set_ct_mark_bits(options.ownershipCtMarkBit, r.spare()),
                         {Nat{.family = family, .address = Reg(0), .port = r.words()}}}),
          .comment = "dnat to @slots of (set . random slot)"};
}

} // namespace sluice::proxy::nftables
