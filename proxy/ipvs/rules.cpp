// The rules. Registers are 32 bits wide, and a rule reads only what it has written itself (kernels
// from 6.10 on insist): so each rule that needs a frontend loads it again.
//
//   v4  0: addr . proto . port   3: flags . mark x3 . seconds . service   9: client
//   v6  0: addr . proto . port   6: flags . mark x3 . seconds . service  12: client
//
// A map's data begins with the flags for the sake of nft 1.0.6 (Debian 12): it aborts on a rule
// that looks up what lies in the first register of another map's data.

#include "net/hash.hpp"
#include "proxy/ipvs/layout.hpp"

namespace sluice::proxy::ipvs {
namespace {

using namespace kernel::nft;

/// IPVS is at 98 and 99 in `input`, at -99 and -98 in `output`.
constexpr int kBehindIpvs = 110;
/// Before whoever else translates destinations.
constexpr int kBeforeTranslation = kPriorityDstnat - 1;
/// The source of a packet is rewritten at 100.
constexpr int kBeforeMasquerade = kPrioritySrcnat - 1;

/// The two ways to find a frontend.
enum class By : std::uint8_t { address, node_port };
constexpr std::array kBoth{By::address, By::node_port};

struct Registers {
  bool v4;
  explicit Registers(Family family) : v4(family == Family::ipv4) {}
  Reg words() const { return v4 ? 1 : 4; } ///< of an address
  Reg flags() const { return static_cast<Reg>(words() + 2); }
  Reg mark(Source source) const { return static_cast<Reg>(flags() + 1 + static_cast<Reg>(source)); }
  Reg seconds() const { return static_cast<Reg>(flags() + 4); }
  Reg service() const { return static_cast<Reg>(flags() + 5); }
  Reg client() const { return static_cast<Reg>(flags() + 6); } ///< behind the service: a key

  Payload source(Reg reg) const {
    return {PayloadBase::network, v4 ? 12U : 8U, v4 ? 4U : 16U, reg};
  }
  Payload destination(Reg reg) const {
    return {PayloadBase::network, v4 ? 16U : 24U, v4 ? 4U : 16U, reg};
  }
  static Payload destination_port(Reg reg) { return {PayloadBase::transport, 2, 2, reg}; }

  Exprs with_key(Expr ip, Expr protocol, Expr port) const {
    return {std::move(ip), std::move(protocol), std::move(port),
            Lookup{.set = kFrontends, .sreg = 0, .dreg = flags()}};
  }
  Immediate any_address() const {
    const std::uint8_t zeros[16] = {};
    return {0, Value(std::span(zeros).first(v4 ? 4 : 16))};
  }
  /// Loads the frontend's data, or ends the rule: the packet is for none.
  Exprs load(By by) const {
    const auto port = static_cast<Reg>(words() + 1);
    return with_key(by == By::address ? Expr(destination(0)) : Expr(any_address()),
                    Meta{MetaKey::l4proto, words()}, destination_port(port));
  }
  /// The same by what the connection's first packet was addressed to.
  Exprs load_original(By by) const {
    const auto port = static_cast<Reg>(words() + 1);
    return with_key(by == By::address ? Expr(Ct{v4 ? CtKey::dst_ip : CtKey::dst_ip6, 0, true})
                                      : Expr(any_address()),
                    Meta{MetaKey::l4proto, words()}, Ct{CtKey::proto_dst, port, true});
  }
  Exprs any_flag(std::uint32_t bits) const {
    return {Bitwise{flags(), flags(), field_u32(bits), field_u32(0)},
            Cmp{CmpOp::ne, flags(), field_u32(0)}};
  }
};

std::string_view name_of(Source source) {
  return source == Source::pod ? "pod" : source == Source::node ? "node" : "outside";
}
std::string from_chain(Source source) { return "from-" + std::string(name_of(source)); }
std::string node_port_chain(Source source) { return "node-port-" + std::string(name_of(source)); }
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

Exprs original_direction() {
  return {Ct{CtKey::direction, 0},
          Cmp{CmpOp::eq, 0, field(std::span<const std::uint8_t>(std::array<std::uint8_t, 1>{0}))}};
}

class Builder {
public:
  Builder(Family family, const NodeInfo &node, const Options &options)
      : family_(family), node_(node), options_(options), registers_(family) {}

  Rules build() {
    for (const auto &chain : constant_chains())
      rules_[chain.name];
    divert();
    keep_destination();
    for (const auto source : kSources) {
      from(source);
      check(source);
    }
    guard();
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

  /// goto `target`(class of the source). What the node sends itself has no input interface, but may
  /// have a pod's address.
  void by_source(const std::string &chain, std::string (*target)(Source), Source otherwise) {
    const bool by_address = node_.localDetector.kind == LocalDetector::Kind::cidr;
    if (by_address || otherwise == Source::outside)
      for (const auto &phrase : is_pod(node_.localDetector))
        add(chain, {phrase, go_to(target(Source::pod))});
    add(chain, {go_to(target(otherwise))});
  }

  /// Later packets come to IPVS by their connection's mark. What the node sends itself is routed
  /// again, by its mark: an endpoint may be on this node, and IPVS leaves such a packet its route.
  void divert() {
    for (const auto *chain : {"divert-prerouting", "divert-output"}) {
      if (chain == std::string_view("divert-output"))
        add(chain, {mark_has(options_.establishedBit), accept()}, "IPVS sends it");
      add(chain,
          {ct_mark_has(options_.ownCtBit), original_direction(),
           set_mark_bits(options_.divertBit | options_.establishedBit), accept()},
          "later packets of our connections");
    }
    add("divert-prerouting", {ct_state(kCtNew), go_to("new-incoming")});
    by_source("new-incoming", from_chain, Source::outside);
    add("divert-output", {ct_state(kCtNew), go_to("new-outgoing")});
    by_source("new-outgoing", from_chain, Source::node);
    sent();
  }

  /// Packets that IPVS sends pass `output` too, without our mark but for one bit while that chain
  /// must not take them for the node's own: the chains beside it route nothing again.
  void sent() {
    const auto both = options_.divertBit | options_.establishedBit;
    const Exprs only_established{Meta{MetaKey::mark, 0},
                                 Bitwise{0, 0, field_u32(both), field_u32(0)},
                                 Cmp{CmpOp::eq, 0, field_u32(options_.establishedBit)}};
    add("sent-begin", {mark_has(both), clear_mark_bits(options_.divertBit), accept()});
    add("sent-begin",
        {mark_has(options_.divertBit),
         {Immediate{0, field_u32(options_.establishedBit)}, MetaSet{MetaKey::mark, 0}}});
    add("sent-end", {only_established, clear_mark_bits(options_.establishedBit)});
  }

  void undivert(const std::string &chain) {
    add(chain, {mark_has(options_.divertBit), mark_has(options_.establishedBit),
                clear_mark_bits(options_.divertBit | options_.establishedBit), accept()});
    add(chain, {mark_has(options_.divertBit),
                {Immediate{0, field_u32(0)}, MetaSet{MetaKey::mark, 0}},
                accept()});
  }

  /// What goes to IPVS has its destination as far as conntrack is concerned: nobody else (another
  /// mode of ours that is coming or going, kube-proxy) translates it a second time.
  void keep_destination() {
    for (const auto *chain : {"nat-prerouting", "nat-output"})
      add(chain, {mark_has(options_.divertBit),
                  {registers_.destination(0), Nat{.family = family_, .address = Reg(0)}}});
  }

  void from(Source source) {
    const auto chain = from_chain(source), node_port = node_port_chain(source);
    add(chain,
        {registers_.load(By::address),
         registers_.any_flag(kRangedFlag),
         {registers_.destination(0), Meta{MetaKey::l4proto, registers_.words()},
          Registers::destination_port(static_cast<Reg>(registers_.words() + 1)),
          Lookup{.set = kRanges, .sreg = 0, .to_verdict = true}}},
        "loadBalancerSourceRanges");
    schedule(chain, source, By::address);
    add(chain, {registers_.load(By::address), return_()}, "a service address, but no endpoint");
    add(chain, {registers_.load(By::node_port), takes_node_ports(), go_to(node_port)},
        "a nodePort");
    schedule(node_port, source, By::node_port);
  }

  void schedule(const std::string &chain, Source source, By by) {
    add(chain, {registers_.load(by), registers_.any_flag(masquerade_flag(source)),
                set_ct_mark_bits(options_.masqueradeCtBit)});
    follow(chain, source, by);
    const auto mark = registers_.mark(source);
    add(chain,
        {registers_.load(by),
         {Cmp{CmpOp::ne, mark, field_u32(0)}, MetaSet{MetaKey::mark, mark}},
         set_ct_mark_bits(options_.ownCtBit),
         accept()},
        "frontend -> mark of " + std::string(name_of(source)));
  }

  /// The endpoint that the client had, if it is still in the set; else its record goes, and the
  /// endpoint that IPVS picks becomes the new one.
  void follow(const std::string &chain, Source source, By by) {
    const auto &r = registers_;
    const auto mark = r.mark(source), endpoint = static_cast<Reg>(mark + 1);
    add(chain,
        {r.load(by),
         r.any_flag(kAffinityFlag),
         {r.source(r.client()), Lookup{.set = kAffinity, .sreg = r.service(), .dreg = endpoint},
          Lookup{.set = kPinned, .sreg = mark, .dreg = Reg(0)}, MetaSet{MetaKey::mark, 0}},
         set_ct_mark_bits(options_.ownCtBit),
         accept()},
        "@affinity of (service . client) -> @pinned -> mark");
    // For a map the kernel wants data even to remove: any register that is written will do.
    add(chain,
        {r.load(by),
         r.any_flag(kAffinityFlag),
         {r.source(r.client()), Dynset{.set = kAffinity,
                                       .op = DynsetOp::remove,
                                       .sreg_key = r.service(),
                                       .sreg_data = r.flags()}}},
        "forget (service . client)");
  }

  /// What IPVS did not take must not reach a socket of the node.
  void guard() {
    const auto marked = mark_has(options_.divertBit);
    add("guard", {marked, go_to("diverted")});
    add("diverted", {destination_is_local(true), protocol_is(Protocol::tcp), reset()},
        "IPVS knows no such connection");
    add("diverted", {destination_is_local(true), reject()});
    add("diverted", {ct_state(kCtNew), registers_.load(By::address), reject()});
    add("diverted",
        {ct_state(kCtNew), registers_.load(By::node_port), takes_node_ports(), reject()});
    undivert("diverted");
  }

  void check(Source source) {
    const auto chain = check_chain(source), empty = empty_chain(source);
    const Exprs is_empty{Cmp{CmpOp::eq, registers_.mark(source), field_u32(0)}};
    const auto drops = registers_.any_flag(drop_flag(source));
    add(chain, {registers_.load(By::address), is_empty, go_to(empty)},
        "only a frontend whose set is empty");
    add(chain, {registers_.load(By::address), return_()});
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
    add("new-forward", {go_to(kUnmatchedChain)});
    add("new-output", {jump("new-local")});
    add("new-output", {go_to(kUnmatchedChain)});
    by_source("new-local", check_chain, Source::node);
    add(kUnmatchedChain,
        {{registers_.destination(0), Lookup{.set = kClusterIps, .sreg = 0}}, reject()});
    for (const auto &cidr : node_.serviceCidrs)
      if (cidr.family() == family_)
        add(kUnmatchedChain, {destination_in(cidr), drop()});
  }

  /// Behind IPVS, where the packet shows which endpoint it got.
  void remember() {
    for (const auto *hook : {"remember-local", "remember-away"})
      add(hook, {ct_state(kCtNew), ct_mark_has(options_.ownCtBit), jump("remember")});
    for (const auto by : kBoth)
      add("remember",
          {registers_.load_original(by),
           {Lookup{.set = kTimeouts, .sreg = registers_.seconds(), .to_verdict = true}}},
          "frontend -> seconds -> @timeouts");
  }

  void masquerade() {
    add("nat-postrouting", {ct_mark_has(options_.masqueradeCtBit), {Masquerade{}}});
    add("nat-postrouting", {ct_mark_has(options_.ownCtBit),
                            {registers_.source(0), registers_.destination(registers_.words()),
                             Lookup{.set = kHairpin, .sreg = 0}, Masquerade{}}});
  }

  /// The destination is an address that accepts nodePorts; never a loopback one.
  Exprs takes_node_ports() const {
    if (!node_.anyNodePortAddress)
      return {registers_.destination(0), Lookup{.set = kNodePortIps, .sreg = 0}};
    const auto *loopback = family_ == Family::ipv4 ? "127.0.0.0/8" : "::1/128";
    return join({destination_in(*Cidr::parse(loopback), true), destination_is_local()});
  }

  Exprs reject() const { return {Reject{.family = table_family(family_)}}; }
  Exprs reset() const {
    return {Reject{.with = RejectWith::tcp_reset, .family = table_family(family_)}};
  }
  static Exprs return_() { return {Verdict{VerdictCode::return_, {}}}; }

  Family family_;
  const NodeInfo &node_;
  const Options &options_;
  Registers registers_;
  Rules rules_;
};

} // namespace

std::vector<Chain> constant_chains() {
  const auto filter = [](Hook hook, int priority = kPriorityFilter) {
    return BaseChain{ChainType::filter, hook, priority};
  };
  std::vector<Chain> chains = {
      {.name = "divert-prerouting", .base = filter(Hook::prerouting, kPriorityMangle)},
      {.name = "sent-begin", .base = filter(Hook::output, kPriorityMangle - 1)},
      {.name = "divert-output", .base = BaseChain{ChainType::route, Hook::output, kPriorityMangle}},
      {.name = "sent-end", .base = filter(Hook::output, kPriorityMangle + 1)},
      {.name = "nat-prerouting",
       .base = BaseChain{ChainType::nat, Hook::prerouting, kBeforeTranslation}},
      {.name = "nat-output", .base = BaseChain{ChainType::nat, Hook::output, kBeforeTranslation}},
      {.name = "filter-input", .base = filter(Hook::input)},
      {.name = "filter-forward", .base = filter(Hook::forward)},
      {.name = "filter-output", .base = filter(Hook::output)},
      {.name = "remember-local", .base = filter(Hook::input, kBehindIpvs - 1)},
      {.name = "guard", .base = filter(Hook::input, kBehindIpvs)},
      {.name = "remember-away", .base = filter(Hook::postrouting, kBeforeMasquerade)},
      {.name = "nat-postrouting",
       .base = BaseChain{ChainType::nat, Hook::postrouting, kPrioritySrcnat}},
  };
  for (const auto *name : {"new-incoming", "new-outgoing", "diverted", "remember", "new-input",
                           "new-forward", "new-output", "new-local", kUnmatchedChain})
    chains.push_back({.name = name});
  for (const auto source : kSources)
    for (const auto &name :
         {from_chain(source), node_port_chain(source), check_chain(source), empty_chain(source)})
      chains.push_back({.name = name});
  return chains;
}

Rules constant_rules(Family family, const NodeInfo &node, const Options &options) {
  return Builder(family, node, options).build();
}

std::string remember_chain(std::chrono::seconds affinity) {
  return "remember-" + std::to_string(affinity.count());
}

std::vector<Rule> remember_rules(Family family, std::chrono::seconds affinity) {
  const Registers r(family);
  const auto endpoint = r.flags(); // it is used up
  std::vector<Rule> rules;
  for (const auto by : kBoth)
    rules.push_back(
        {.chain = remember_chain(affinity),
         .exprs = join({r.load_original(by),
                        {r.source(r.client()), r.destination(endpoint),
                         Registers::destination_port(static_cast<Reg>(endpoint + r.words())),
                         Dynset{.set = kAffinity,
                                .op = DynsetOp::update,
                                .sreg_key = r.service(),
                                .sreg_data = endpoint,
                                .timeout = affinity}}}),
         .comment = "@affinity: (service . client) -> endpoint"});
  return rules;
}

std::string ranges_chain(const Frontend &frontend) {
  return "ranges-" + hex(fnv1a_64(frontend.str()));
}

std::vector<Rule> ranges_rules(const Frontend &frontend, const std::vector<Cidr> &ranges) {
  const auto chain = ranges_chain(frontend);
  std::vector<Rule> rules;
  for (const auto &range : ranges)
    rules.push_back(
        {.chain = chain, .exprs = join({source_in(range), {Verdict{VerdictCode::return_, {}}}})});
  rules.push_back({.chain = chain, .exprs = drop(), .comment = frontend.str().substr(0, 100)});
  return rules;
}

} // namespace sluice::proxy::ipvs
