#include "kernel/netns.hpp"
#include "kernel/nft/monitor.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "kernel/nft/tests/cases.hpp"

#include <poll.h>

#include <cstdio>
#include <fstream>

namespace sluice::kernel::nft {
namespace {

using namespace tests;

/// A fresh network namespace with a socket in it.
class kernel_nft_socket : public ::testing::Test {
protected:
  void SetUp() override {
    auto ns = NetNs::create();
    ASSERT_TRUE(ns) << ns.error().what();
    ns_.emplace(std::move(*ns));
    nft_.emplace(open());
  }
  NftSocket open() {
    auto socket = ns_->run([] { return NftSocket::open(); });
    EXPECT_TRUE(socket) << socket.error().what();
    return std::move(*socket);
  }
  /// What a program prints, run inside the namespace.
  std::string run(const std::string &command) {
    std::string text;
    const auto done = ns_->run([&]() -> Result<> {
      FILE *pipe = ::popen((command + " 2>&1").c_str(), "r");
      char buffer[4096];
      while (const auto got = std::fread(buffer, 1, sizeof buffer, pipe))
        text.append(buffer, got);
      if (::pclose(pipe) != 0)
        return fail(Errc::kernel, command + " failed: " + text);
      return {};
    });
    EXPECT_TRUE(done) << done.error().what();
    return text;
  }
  std::optional<NetNs> ns_;
  std::optional<NftSocket> nft_;
};

#define EXPECT_OK(expr)                                                                            \
  do {                                                                                             \
    const auto result_ = (expr);                                                                   \
    EXPECT_TRUE(result_) << result_.error().what();                                                \
  } while (false)

TEST_F(kernel_nft_socket, answers_every_case_as_written_and_a_refused_batch_changes_nothing) {
  for (const auto &c : cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_OK(nft_->commit(Batch(kTable).destroy_table()));
    EXPECT_OK(nft_->commit(common_ground()));
    const auto before = snapshot(*nft_, kTable);
    ASSERT_TRUE(before) << before.error().what();
    const auto result = nft_->commit(c.batch);
    if (!c.error) {
      EXPECT_TRUE(result) << result.error().what();
      continue;
    }
    EXPECT_FALSE(result);
    if (result)
      continue;
    EXPECT_EQ(result.error().code(), *c.error) << result.error().what();
    EXPECT_NE(result.error().what().find(c.named), std::string::npos) << result.error().what();
    EXPECT_EQ(*snapshot(*nft_, kTable), *before);
  }
}

/// One rule of every kind of instruction, in a table of `family`.
Batch every_instruction(const TableId &table, Family family) {
  const bool v4 = family == Family::ipv4;
  const auto cidr = v4 ? *Cidr::parse("192.0.2.0/25") : *Cidr::parse("2001:db8::/57");
  const auto address = v4 ? Type::ipv4_addr : Type::ipv6_addr;
  const Reg port = v4 ? 1 : 4;
  Batch batch(table);
  batch.create_table("every instruction")
      .add(Set{.name = "clients", .key = {address}, .dynamic = true, .timeouts = true})
      .add(Set{.name = "endpoints",
               .key = {Type::mark, Type::mark},
               .data = {address, Type::inet_service},
               .size = 100})
      .add(Set{.name = "ranges", .key = {address}, .interval = true})
      .add(Chain{.name = "in", .base = BaseChain{ChainType::filter, Hook::input, 0, true}})
      .add(Chain{.name = "pre",
                 .base = BaseChain{ChainType::nat, Hook::prerouting, kPriorityDstnat}})
      .add(Chain{.name = "post",
                 .base = BaseChain{ChainType::nat, Hook::postrouting, kPrioritySrcnat}})
      .add(Chain{.name = "sub"});
  for (auto &end : interval_of(cidr))
    batch.add("ranges", std::move(end));
  const Payload source{PayloadBase::network, v4 ? 12U : 8U, v4 ? 4U : 16U, 0};
  const Exprs in[] = {
      source_in(cidr),
      destination_in(cidr, true),
      protocol_is(Protocol::tcp),
      join({protocol_is(Protocol::udp), destination_port(Port(53))}),
      input_interface("eth0"),
      input_interface("cni*", true),
      ct_state(kCtNew),
      ct_status(kCtStatusDnat),
      ct_mark_has(0x02000000),
      mark_has(0x4000),
      set_mark_bits(0x4000),
      clear_mark_bits(0x4000),
      set_ct_mark_bits(0x02000000, 15),
      destination_is_local(),
      {Counter{}},
      jump("sub"),
      join({ct_state(kCtEstablished | kCtRelated), accept()}),
      {Reject{.family = table.family}},
      {Reject{.with = RejectWith::admin_prohibited, .family = table.family}},
      join({protocol_is(Protocol::tcp),
            {Reject{.with = RejectWith::tcp_reset, .family = table.family}}}),
      {source, Lookup{.set = "ranges", .sreg = 0, .invert = true}},
      {source, Dynset{.set = "clients",
                      .op = DynsetOp::update,
                      .sreg_key = 0,
                      .timeout = std::chrono::seconds(10)}},
      {Payload{PayloadBase::transport, 2, 2, 3},
       Range{.sreg = 3, .from = field(Port(1000)), .to = field(Port(2000))}},
      {Meta{MetaKey::mark, 0}, Byteorder{0, 1, true, 4, 4}, Cmp{CmpOp::gt, 1, field_u32(7)}},
      {Ct{.key = CtKey::proto_dst, .dreg = 2, .original_direction = true},
       Cmp{CmpOp::eq, 2, field(Port(80))}},
      drop(),
  };
  for (const auto &exprs : in)
    batch.add(Rule{.chain = "in", .exprs = exprs, .comment = "of in"});
  batch.add(Rule{.chain = "pre",
                 .exprs = {Immediate{5, field_u32(1)}, Numgen{.dreg = 6, .modulus = 3},
                           Lookup{.set = "endpoints", .sreg = 5, .dreg = 0},
                           Nat{.family = family, .address = Reg(0), .port = port}}});
  batch.add(Rule{.chain = "post", .exprs = {Masquerade{}}});
  batch.add(Rule{.chain = "post",
                 .exprs = {Immediate{0, field(cidr.first())},
                           Nat{.source = true,
                               .family = family,
                               .address = Reg(0),
                               .flags = kNatFullyRandom | kNatPersistent}}});
  return batch;
}

TEST_F(kernel_nft_socket, reads_every_instruction_back_as_it_was_written) {
  struct Where {
    TableId table;
    Family family;
  };
  for (const auto &[table, family] : {Where{kTable, Family::ipv4}, Where{kTable6, Family::ipv6},
                                      Where{kTableInet, Family::ipv6}}) {
    SCOPED_TRACE(table.str());
    const auto batch = every_instruction(table, family);
    EXPECT_OK(nft_->commit(batch));
    const auto rules = nft_->read_rules(table);
    ASSERT_TRUE(rules) << rules.error().what();
    std::vector<std::string> wanted, got;
    for (const auto &op : batch.ops())
      if (const auto *rule = std::get_if<Rule>(&op.object))
        wanted.push_back(rule->chain + ": " + text_of(table.family, *rule) + rule->comment);
    for (const auto &rule : *rules)
      got.push_back(rule.chain + ": " + rule.text + rule.comment);
    EXPECT_EQ(got, wanted);
    EXPECT_EQ((*nft_->read_table(table))->comment, "every instruction");
    const auto sets = *nft_->read_sets(table);
    for (const auto &op : batch.ops())
      if (const auto *set = std::get_if<Set>(&op.object)) {
        const auto same = [&](const SetInfo &info) { return info == info_of(*set); };
        EXPECT_TRUE(std::any_of(sets.begin(), sets.end(), same)) << set->name;
      }
    const auto chains = *nft_->read_chains(table);
    for (const auto &op : batch.ops())
      if (const auto *chain = std::get_if<Chain>(&op.object)) {
        EXPECT_NE(std::find(chains.begin(), chains.end(), *chain), chains.end()) << chain->name;
      }
    EXPECT_NE(run("nft list ruleset").find("table " + table.str()), std::string::npos);
    EXPECT_OK(nft_->commit(Batch(table).remove_table()));
  }
}

TEST_F(kernel_nft_socket, nft_lists_maps_with_their_types) {
  Batch batch(kTable);
  const auto frontend =
      Value().put(*IpAddress::parse("10.96.0.1")).put(Protocol::tcp).put(Port(443));
  const auto endpoint = Value().put(*IpAddress::parse("10.244.1.7")).put(Port(6443));
  batch.create_table()
      .add(Set{.name = "frontends",
               .key = {Type::ipv4_addr, Type::inet_proto, Type::inet_service},
               .data = {Type::mark, Type::mark},
               .size = 1000})
      .add(Set{.name = "slots",
               .key = {Type::mark, Type::mark},
               .data = {Type::ipv4_addr, Type::inet_service},
               .size = 1000})
      .add(Set{.name = "dispatch", .key = {Type::mark}, .verdicts = true})
      .add(Chain{.name = "pick-2"})
      .add("frontends", {.key = frontend, .data = Value().put_u32(7).put_u32(3)})
      .add("slots", {.key = Value().put_u32(7).put_u32(0), .data = endpoint, .comment = "first"})
      .add("dispatch", verdict(2, "pick-2"));
  EXPECT_OK(nft_->commit(batch));
  const auto list = run("nft list ruleset");
  EXPECT_NE(list.find("10.96.0.1 . tcp . 443 : 0x00000007 . 0x00000003"), std::string::npos)
      << list;
  EXPECT_NE(list.find("0x00000007 . 0x00000000 comment \"first\" : 10.244.1.7 . 6443"),
            std::string::npos)
      << list;
  EXPECT_NE(list.find("0x00000002 : goto pick-2"), std::string::npos) << list;
  const auto json = run("nft -j list ruleset");
  EXPECT_NE(json.find("\"10.96.0.1\""), std::string::npos) << json;
  const auto elements = nft_->elements(kTable, "slots");
  ASSERT_TRUE(elements) << elements.error().what();
  ASSERT_EQ(elements->size(), 1U);
  EXPECT_EQ(elements->front().data, endpoint);
  EXPECT_EQ(elements->front().comment, "first");
}

TEST_F(kernel_nft_socket, commits_two_hundred_thousand_elements_and_streams_them_back) {
  constexpr std::uint32_t kCount = 200000;
  Batch batch(kTable);
  batch.create_table().add(Set{.name = "many",
                               .key = {Type::mark, Type::mark},
                               .data = {Type::ipv4_addr, Type::inet_service},
                               .size = kCount});
  for (std::uint32_t i = 0; i < kCount; ++i)
    batch.add("many", {.key = Value().put_u32(i).put_u32(~i),
                       .data = Value().put(IpAddress::from_v4(i)).put(Port(80))});
  const auto cpu = std::clock();
  EXPECT_OK(nft_->commit(batch));
  const auto used_ms = (std::clock() - cpu) * 1000 / CLOCKS_PER_SEC;
  RecordProperty("cpu_ms", static_cast<int>(used_ms));
  EXPECT_LT(used_ms, 1500) << "CPU of encoding and committing, kernel included";
  class Check final : public ElementSink {
  public:
    void begin() override { count = wrong = 0; }
    void take(Element &&e) override {
      ++count;
      wrong += e.key.u32_at(0) != ~e.key.u32_at(4) ? 1U : 0U;
    }
    std::uint32_t count = 0, wrong = 0;
  } check;
  EXPECT_OK(nft_->read_elements(kTable, "many", check));
  EXPECT_EQ(check.count, kCount);
  EXPECT_EQ(check.wrong, 0U);
}

TEST_F(kernel_nft_socket, names_the_element_that_is_wrong_among_thousands) {
  EXPECT_OK(nft_->commit(common_ground()));
  Batch batch(kTable);
  batch.add(Set{.name = "big", .key = {Type::mark}, .data = {Type::mark}});
  for (std::uint32_t i = 0; i < 5000; ++i)
    batch.add("big", number(i, i));
  batch.add("big", number(4321, 1));
  const auto result = nft_->commit(batch);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().what().find("add element ip slc-cases big { e1100000 : 01000000 }"),
            std::string::npos)
      << result.error().what();
}

TEST_F(kernel_nft_socket, a_commit_for_a_generation_that_is_gone_is_a_conflict) {
  const auto generation = nft_->generation();
  ASSERT_TRUE(generation) << generation.error().what();
  EXPECT_OK(nft_->commit(common_ground(), {.generation = *generation}));
  const auto late = nft_->commit(Batch(kTable).remove_table(), {.generation = *generation});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::conflict) << late.error().what();
  EXPECT_OK(nft_->commit(Batch(kTable).remove_table(), {.generation = *nft_->generation()}));
}

TEST_F(kernel_nft_socket, a_missing_table_reads_as_empty_and_a_missing_set_is_an_error) {
  EXPECT_EQ(*nft_->read_table(kTable), std::nullopt);
  EXPECT_TRUE(nft_->read_chains(kTable)->empty());
  EXPECT_TRUE(nft_->read_sets(kTable)->empty());
  EXPECT_TRUE(nft_->read_rules(kTable)->empty());
  const auto elements = nft_->elements(kTable, "none");
  ASSERT_FALSE(elements);
  EXPECT_EQ(elements.error().code(), Errc::not_found) << elements.error().what();
}

TEST_F(kernel_nft_socket, one_element_is_looked_up_by_its_key) {
  EXPECT_OK(nft_->commit(common_ground()));
  const auto there = nft_->read_element(kTable, "numbers", key(1));
  ASSERT_TRUE(there) << there.error().what();
  ASSERT_TRUE(*there);
  EXPECT_EQ((*there)->data, key(10));
  for (const auto *set : {"numbers", "nowhere"}) {
    const auto none = nft_->read_element(kTable, set, key(2));
    ASSERT_TRUE(none) << none.error().what();
    EXPECT_FALSE(*none);
  }
  EXPECT_EQ((*nft_->read_element(kTable, "verdicts", key(10)))->verdict->chain, "target");
}

TEST_F(kernel_nft_socket, a_dump_survives_commits_of_others_in_between) {
  Batch batch(kTable);
  batch.create_table().add(Set{.name = "many", .key = {Type::mark}});
  for (std::uint32_t i = 0; i < 50000; ++i)
    batch.add("many", {.key = key(i)});
  EXPECT_OK(nft_->commit(batch));
  auto other = open();
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < 20; ++i)
      EXPECT_OK(other.commit(Batch(kTable).add("many", {.key = key(100000 + i)})));
  });
  for (int i = 0; i < 3; ++i) {
    const auto elements = nft_->elements(kTable, "many");
    ASSERT_TRUE(elements) << elements.error().what();
    EXPECT_GE(elements->size(), 50000U);
  }
  writer.join();
  EXPECT_EQ(nft_->elements(kTable, "many")->size(), 50020U);
}

/// Waits for the monitor's descriptor; a deadline of 5 s.
TableEvents wait_for(NftMonitor &monitor) {
  pollfd poll_fd{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poll_fd, 1, 5000), 1) << "no event within 5 s";
  const auto events = monitor.take_events();
  EXPECT_TRUE(events) << events.error().what();
  return *events;
}

TEST_F(kernel_nft_socket, the_monitor_tells_of_others_and_not_of_ourselves) {
  auto monitor = ns_->run([&] { return NftMonitor::open(kTable, {nft_->port_id()}); });
  ASSERT_TRUE(monitor) << monitor.error().what();
  EXPECT_OK(monitor->listen());
  EXPECT_OK(nft_->commit(common_ground()));
  EXPECT_FALSE(wait_for(*monitor).any()) << "our own change";
  auto other = open();
  EXPECT_OK(other.commit(Batch(kTable6).create_table()));
  EXPECT_FALSE(wait_for(*monitor).any()) << "somebody else's table";
  EXPECT_OK(other.commit(Batch(kTable).add("numbers", number(9, 9))));
  const auto changed = wait_for(*monitor);
  EXPECT_TRUE(changed.changed_by_others);
  EXPECT_FALSE(changed.deleted_by_others);
  run("nft flush ruleset");
  EXPECT_TRUE(wait_for(*monitor).deleted_by_others);
}

} // namespace
} // namespace sluice::kernel::nft
