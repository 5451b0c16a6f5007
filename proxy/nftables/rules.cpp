// The constant rules.

#include "proxy/nftables/registers.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

std::string from_chain(Source source) { return "from-" + std::string(name_of(source)); }
std::string special_chain(Source source) { return "special-" + std::string(name_of(source)); }
std::string again_chain(Source source) { return "again-" + std::string(name_of(source)); }
std::string node_port_chain(Source source) { return "node-port-" + std::string(name_of(source)); }
std::string check_chain(Source source) { return "check-" + std::string(name_of(source)); }
std::string empty_chain(Source source) { return "empty-" + std::string(name_of(source)); }
constexpr auto kRememberChain = "remember";

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
    rules_.erase(kRangesChain);
    translate();
    for (const auto source : kSources) {
      from(source);
      special(source);
      again(source);
      node_port(source);
      check(source);
    }
    unmatched();
    remember();
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
    const auto special = masquerade_flag(source) | kRangedFlag | kAffinityFlag;
    add(chain,
        {registers_.load(By::address), registers_.any_flag(special), jump(special_chain(source))},
        "masqueraded, with source ranges, with affinity");
    dispatch(chain, source, By::address);
    add(chain, {registers_.load(By::address), go_to(again_chain(source))}, "a service address");
    add(chain, {registers_.load(By::node_port), takes_node_ports(), go_to(node_port_chain(source))},
        "a nodePort");
  }

  void special(Source source) {
    const auto chain = special_chain(source);
    mark(chain, source, By::address);
    add(chain, {registers_.load(By::address), registers_.any_flag(kRangedFlag), jump(kRangesChain)},
        "loadBalancerSourceRanges");
    follow(chain, source, By::address);
  }

  void node_port(Source source) {
    const auto chain = node_port_chain(source);
    mark(chain, source, By::node_port);
    follow(chain, source, By::node_port);
    dispatch(chain, source, By::node_port);
    dispatch(chain, source, By::node_port);
  }

  /// Two changes may come between the frontend and the count of its set, which is gone then: who
  /// found nothing looks once more before it means that there is no endpoint.
  void again(Source source) { dispatch(again_chain(source), source, By::address); }

  void mark(const std::string &chain, Source source, By by) {
    add(chain, {registers_.load(by), registers_.any_flag(masquerade_flag(source)),
                set_mark_bits(masquerade_bit())});
  }

  void dispatch(const std::string &chain, Source source, By by) {
    const auto count = registers_.service();
    add(chain,
        {registers_.load(by),
         {Lookup{.set = kCounts, .sreg = registers_.set(source), .dreg = count},
          Lookup{.set = dispatch_map(source), .sreg = count, .to_verdict = true}}},
        "frontend -> set -> @counts -> @" + dispatch_map(source));
  }

  /// The endpoint that the client had, if it is still in the set; else its record goes, and the
  /// endpoint picked next becomes the new one.
  void follow(const std::string &chain, Source source, By by) {
    const auto &r = registers_;
    const auto set = r.set(source), endpoint = static_cast<Reg>(set + 1);
    const Exprs client{r.source(r.client())};
    add(chain,
        {r.load(by),
         client,
         {Lookup{.set = kAffinity, .sreg = r.service(), .dreg = endpoint},
          Lookup{.set = kMembers, .sreg = set}},
         set_ct_mark_bits(options_.ownershipCtMarkBit),
         {Nat{.family = family_,
              .address = endpoint,
              .port = static_cast<Reg>(endpoint + r.words())}}},
        "dnat to @affinity of (service . client) if in @members");
    // For a map the kernel wants data even to remove: any register that is written will do.
    add(chain,
        {r.load(by),
         client,
         r.any_flag(kAffinityFlag),
         {Dynset{.set = kAffinity,
                 .op = DynsetOp::remove,
                 .sreg_key = r.service(),
                 .sreg_data = r.flags()}}},
        "forget (service . client)");
  }

  void check(Source source) {
    const auto chain = check_chain(source), empty = empty_chain(source);
    const Exprs is_empty{Cmp{CmpOp::eq, registers_.set(source), field_u32(0)}};
    const auto drops = registers_.any_flag(drop_flag(source));
    add(chain, {registers_.load(By::address), is_empty, go_to(empty)},
        "only a frontend whose set is empty");
    add(chain, {registers_.load(By::node_port), is_empty, takes_node_ports(), go_to(empty)},
        "only a nodePort whose set is empty");
    add(empty, {registers_.load(By::address), drops, drop()});
    add(empty, {registers_.load(By::address), reject()});
    add(empty, {registers_.load(By::node_port), drops, drop()});
    add(empty, {reject()});
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

  /// Behind the translation, where the packet shows which endpoint it got.
  void remember() {
    for (const auto *hook : {"nat-input", "nat-postrouting"})
      add(hook, {ct_mark_has(options_.ownershipCtMarkBit), jump(kRememberChain)});
    const auto seconds = registers_.set(Source::pod);
    for (const auto by : kBoth)
      add(kRememberChain,
          {registers_.load_original(by),
           {Lookup{.set = kServices, .sreg = registers_.service(), .dreg = seconds},
            Lookup{.set = kTimeouts, .sreg = seconds, .to_verdict = true}}},
          "frontend -> service -> @services -> @timeouts");
  }

  void masquerade() {
    const std::string chain = "nat-postrouting";
    add(chain, {mark_has(masquerade_bit()), clear_mark_bits(masquerade_bit()), {Masquerade{}}});
    add(chain, {ct_mark_has(options_.ownershipCtMarkBit),
                {registers_.source(0), registers_.destination(registers_.words()),
                 Lookup{.set = kHairpin, .sreg = 0}, Masquerade{}}});
  }

  /// The destination is an address that accepts nodePorts; never a loopback one.
  Exprs takes_node_ports() const {
    if (!node_.anyNodePortAddress)
      return {registers_.destination(0), Lookup{.set = kNodePortIps, .sreg = 0}};
    const auto loopback = family_ == Family::ipv4 ? "127.0.0.0/8" : "::1/128";
    return join({destination_in(*Cidr::parse(loopback), true), destination_is_local()});
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
      {.name = "nat-input", .base = nat(Hook::input, kPrioritySrcnat)},
      {.name = "nat-postrouting", .base = nat(Hook::postrouting, kPrioritySrcnat)},
      {.name = "filter-input", .base = filter(Hook::input)},
      {.name = "filter-forward", .base = filter(Hook::forward)},
      {.name = "filter-output", .base = filter(Hook::output)},
      {.name = kRangesChain},
      {.name = kRememberChain},
      {.name = "new-input"},
      {.name = "new-forward"},
      {.name = "new-output"},
      {.name = "new-local"},
      {.name = "unmatched"},
  };
  for (const auto source : kSources)
    for (const auto &name : {from_chain(source), special_chain(source), again_chain(source),
                             node_port_chain(source), check_chain(source), empty_chain(source)})
      chains.push_back({.name = name});
  return chains;
}

Rules constant_rules(Family family, const NodeInfo &node, const Options &options) {
  return Builder(family, node, options).build();
}

} // namespace sluice::proxy::nftables
