#include "kernel/fake/iptables.hpp"
#include "proxy/iptables/ruleset.hpp"
#include "proxy/iptables/tests/random_table.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy::iptables {
namespace {

using kernel::fake::IptablesTool;
using tests::at;
using tests::ip;
using Chain = std::vector<std::string>;

/// A data plane on a fake that the test can look into.
struct Bench {
  explicit Bench(Family family = Family::ipv4, std::size_t chains_per_commit = 0) {
    auto tool = std::make_unique<IptablesTool>();
    kernel = tool.get();
    Options options{.chainsPerCommit = chains_per_commit};
    options.wrote = [this](const WriteReport &report) { reports.push_back(report); };
    dataplane = make_dataplane(family, std::move(tool), std::move(options));
  }
  Chain nat(const std::string &chain) { return kernel->table("nat").at(chain); }
  Chain filter(const std::string &chain) { return kernel->table("filter").at(chain); }
  /// The chain whose name begins so.
  Chain nat_like(const std::string &prefix) {
    return kernel->table("nat").lower_bound(prefix)->second;
  }

  /// Rules of ours in a table of the kernel, and those that lead to them.
  std::size_t rules(const std::string &table) {
    std::size_t count = 0;
    for (const auto &[name, rules] : kernel->table(table))
      for (const auto &rule : rules)
        count += name.rfind(kPrefix, 0) == 0 || rule.find(kPrefix) != std::string::npos;
    return count;
  }

  IptablesTool *kernel;
  std::unique_ptr<Dataplane> dataplane;
  std::vector<WriteReport> reports;
};

Table table_with(TrafficPath pod, TrafficPath node, TrafficPath outside) {
  auto table = tests::empty_table(Family::ipv4);
  table.backendSets[BackendSetId(1)] = {{at("10.244.0.5:8080"), true},
                                        {at("10.244.1.6:8080"), false}};
  table.backendSets[BackendSetId(2)] = {{at("10.244.0.5:8080"), true}};
  FrontendInfo info{.kind = FrontendKind::cluster_ip,
                    .service = {"default", "web", "http"},
                    .from_pod = pod,
                    .from_node = node,
                    .from_outside = outside};
  table.frontends[{ip("10.96.0.10"), Port(80), Protocol::tcp}] = info;
  return table;
}

const TrafficPath kPlain{BackendSetId(1), false, WhenEmpty::reject};
const TrafficPath kMasqueraded{BackendSetId(1), true, WhenEmpty::reject};
const TrafficPath kLocal{BackendSetId(2), false, WhenEmpty::reject};
const TrafficPath kReject{BackendSetId(0), false, WhenEmpty::reject};
const TrafficPath kDrop{BackendSetId(0), false, WhenEmpty::drop};

constexpr auto kOwn = "-j CONNMARK --set-xmark 0x2000000/0x2000000";
constexpr auto kMark = "-j MARK --set-xmark 0x4000/0x4000";
constexpr auto kFirst = "-p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT "
                        "--to-destination 10.244.0.5:8080";
constexpr auto kLast = "-p tcp -j DNAT --to-destination 10.244.1.6:8080";

TEST(iptables_ruleset, a_frontend_leads_to_its_service_s_chain) {
  Bench bench;
  ASSERT_TRUE(bench.dataplane->start(table_with(kPlain, kMasqueraded, kMasqueraded)));
  ASSERT_EQ(bench.nat("SLUICE-A").size(), 1U);
  EXPECT_EQ(
      bench.nat("SLUICE-A")
          .front()
          .rfind(
              "-d 10.96.0.10/32 -p tcp -m comment --comment \"default/web:http\" -m tcp --dport 80 -g SLUICE-C-",
              0),
      0U);
  EXPECT_EQ(bench.nat("PREROUTING"),
            Chain{"-m comment --comment \"sluice: service addresses\" -j SLUICE-SERVICES"});
  EXPECT_EQ(bench.nat("OUTPUT"),
            Chain{"-m comment --comment \"sluice: service addresses\" -j SLUICE-OUTPUT"});
  EXPECT_EQ(bench.nat("SLUICE-OUTPUT"), Chain{"-j SLUICE-SERVICES"});
}

struct RouteCase {
  const char *name;
  TrafficPath pod, node, outside;
  Chain rules;
};

TEST(iptables_ruleset, a_service_s_chain_says_who_is_masqueraded_and_picks_an_endpoint) {
  const std::vector<RouteCase> cases{
      {"nobody is masqueraded", kPlain, kPlain, kPlain, {kOwn, kFirst, kLast}},
      {"everybody is", kMasqueraded, kMasqueraded, kMasqueraded, {kMark, kOwn, kFirst, kLast}},
      {"everybody but pods",
       kPlain,
       kMasqueraded,
       kMasqueraded,
       {std::string("! -s 10.244.0.0/24 ") + kMark, kOwn, kFirst, kLast}},
      {"nobody but pods is translated",
       kPlain,
       kDrop,
       kDrop,
       {"-s 10.244.0.0/24 -g SLUICE-S-c7bf86ca216c543b"}},
      {"the node is masqueraded, others come to local endpoints",
       kPlain,
       kMasqueraded,
       kLocal,
       {"-s 10.244.0.0/24 -g SLUICE-S-c7bf86ca216c543b",
        std::string("-m addrtype --src-type LOCAL ") + kMark,
        "-m addrtype --src-type LOCAL -g SLUICE-S-c7bf86ca216c543b", kOwn,
        "-p tcp -j DNAT --to-destination 10.244.0.5:8080"}},
  };
  for (const auto &of : cases) {
    SCOPED_TRACE(of.name);
    Bench bench;
    ASSERT_TRUE(bench.dataplane->start(table_with(of.pod, of.node, of.outside)));
    EXPECT_EQ(bench.nat_like("SLUICE-C-"), of.rules);
  }
}

TEST(iptables_ruleset, a_frontend_without_endpoints_is_refused_and_not_translated) {
  Bench bench;
  ASSERT_TRUE(bench.dataplane->start(table_with(kReject, kReject, kReject)));
  EXPECT_EQ(bench.nat("SLUICE-A"), Chain{});
  const std::string match =
      "-d 10.96.0.10/32 -p tcp -m comment --comment \"default/web:http\" -m tcp --dport 80 ";
  const std::string reject = "-j REJECT --reject-with icmp-port-unreachable";
  EXPECT_EQ(bench.filter("SLUICE-R"), (Chain{match + reject, "-d 10.96.0.10/32 " + reject}));

  ASSERT_TRUE(bench.dataplane->start(table_with(kPlain, kDrop, kDrop)));
  const auto rules = bench.filter("SLUICE-R");
  EXPECT_EQ(rules.front().rfind(match + "-g SLUICE-C-", 0), 0U);
  EXPECT_EQ(
      bench.kernel->table("filter").lower_bound("SLUICE-C-")->second,
      (Chain{"-s 10.244.0.0/24 -j RETURN", "-m addrtype --src-type LOCAL -j DROP", "-j DROP"}));
}

TEST(iptables_ruleset, affinity_asks_first_who_knows_the_client) {
  auto table = table_with(kPlain, kPlain, kPlain);
  table.frontends.begin()->second.affinity = std::chrono::seconds(10);
  Bench bench;
  ASSERT_TRUE(bench.dataplane->start(table));
  const auto rules = bench.nat_like("SLUICE-C-");
  ASSERT_EQ(rules.size(), 5U);
  EXPECT_EQ(rules[1].rfind("-p tcp -m recent --update --seconds 10 --reap --name sluice-", 0), 0U);
  EXPECT_NE(rules[3].find("--probability 0.50000000000 -m recent --set --name sluice-"),
            std::string::npos);
}

TEST(iptables_ruleset, source_ranges_are_asked_before_translation_and_the_rest_is_dropped) {
  auto table = table_with(kMasqueraded, kMasqueraded, kMasqueraded);
  auto info = table.frontends.begin()->second;
  table.frontends.clear();
  info.kind = FrontendKind::load_balancer;
  info.source_ranges = {*Cidr::parse("198.51.100.0/24")};
  table.frontends[{ip("203.0.113.5"), Port(80), Protocol::tcp}] = info;
  Bench bench;
  ASSERT_TRUE(bench.dataplane->start(table));
  EXPECT_EQ(bench.nat("SLUICE-A").front().rfind("-s 198.51.100.0/24 -d 203.0.113.5/32 -p tcp ", 0),
            0U);
  const auto refused = bench.filter("SLUICE-R");
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_NE(refused.front().find("--dport 80 -j DROP"), std::string::npos);
}

TEST(iptables_ruleset, a_change_of_one_endpoint_writes_one_chain) {
  auto table = table_with(kPlain, kMasqueraded, kMasqueraded);
  Bench bench;
  ASSERT_TRUE(bench.dataplane->start(table));
  TableDelta delta;
  delta.setBackends[BackendSetId(1)] = {{at("10.244.0.5:8080"), true},
                                        {at("10.244.1.7:8080"), false}};
  ASSERT_TRUE(bench.dataplane->apply(delta));
  const auto &text = bench.kernel->last_text();
  EXPECT_EQ(std::count(text.begin(), text.end(), ':') - std::count(text.begin(), text.end(), '>'),
            4)
      << text; // one chain, "[0:0]", two endpoints
  EXPECT_EQ(text.find("*filter"), std::string::npos);
}

TEST(iptables_ruleset, each_write_is_told_with_the_number_of_its_rules) {
  auto table = table_with(kPlain, kMasqueraded, kMasqueraded);
  Bench bench;
  ASSERT_TRUE(bench.dataplane->start(table));
  const auto first = bench.reports.back();
  EXPECT_TRUE(first.whole && !first.failed);
  EXPECT_EQ(first.present.nat, bench.rules("nat"));
  EXPECT_EQ(first.written.nat, first.present.nat);
  EXPECT_EQ(first.written.filter, bench.rules("filter"));

  TableDelta delta;
  delta.setBackends[BackendSetId(1)] = {{at("10.244.0.5:8080"), true},
                                        {at("10.244.1.7:8080"), false},
                                        {at("10.244.1.8:8080"), false}};
  ASSERT_TRUE(bench.dataplane->apply(delta));
  const auto second = bench.reports.back();
  EXPECT_FALSE(second.whole || second.failed);
  EXPECT_EQ(second.present.nat, first.present.nat + 1);
  EXPECT_EQ(second.written.nat, 5U) << "one chain: two marks, three endpoints";
  EXPECT_EQ(second.written.filter, 0U);

  bench.kernel->fail_next(Error(Errc::busy, "the lock"));
  delta.setBackends[BackendSetId(1)] = {{at("10.244.0.5:8080"), true}};
  EXPECT_FALSE(bench.dataplane->apply(delta));
  EXPECT_EQ(bench.reports.size(), 2U) << "a lock is no failure";
  bench.kernel->fail_next(Error(Errc::kernel, "out of memory"));
  EXPECT_FALSE(bench.dataplane->apply({}));
  EXPECT_TRUE(bench.reports.back().failed && !bench.reports.back().whole);
  bench.kernel->fail_next(Error(Errc::kernel, "out of memory"));
  EXPECT_FALSE(bench.dataplane->start(tests::empty_table(Family::ipv4)));
  EXPECT_TRUE(bench.reports.back().failed && bench.reports.back().whole);
}

TEST(iptables_ruleset, what_others_have_in_the_tables_stays_and_a_second_start_writes_nothing) {
  Bench bench;
  bench.kernel->table("nat")["DOCKER"] = {"-i docker0 -j RETURN"};
  bench.kernel->table("nat")["PREROUTING"] = {"-m addrtype --dst-type LOCAL -j DOCKER"};
  const auto table = table_with(kPlain, kMasqueraded, kMasqueraded);
  ASSERT_TRUE(bench.dataplane->start(table));
  EXPECT_EQ(bench.nat("PREROUTING").back(), "-m addrtype --dst-type LOCAL -j DOCKER");
  const auto restores = bench.kernel->restores();
  ASSERT_TRUE(bench.dataplane->start(table));
  EXPECT_EQ(bench.kernel->restores(), restores);
  ASSERT_TRUE(bench.dataplane->remove());
  EXPECT_EQ(bench.kernel->table("nat").size(), 5U);
  EXPECT_EQ(bench.nat("PREROUTING"), Chain{"-m addrtype --dst-type LOCAL -j DOCKER"});
  EXPECT_EQ(bench.kernel->table("filter").size(), 3U);
}

TEST(iptables_ruleset, drift_is_seen_named_and_repaired) {
  const auto table = table_with(kPlain, kMasqueraded, kMasqueraded);
  const std::vector<std::pair<const char *, std::function<void(IptablesTool &)>>> breakages{
      {"a rule is gone", [](auto &kernel) { kernel.table("nat")["SLUICE-SERVICES"].clear(); }},
      {"a jump is gone", [](auto &kernel) { kernel.table("nat")["PREROUTING"].clear(); }},
      {"a jump is there twice",
       [](auto &kernel) {
         auto &rules = kernel.table("nat")["PREROUTING"];
         rules.push_back(rules.front());
       }},
      {"a chain too many", [](auto &kernel) { kernel.table("filter")["SLUICE-OLD"]; }},
      {"everything is flushed", [](auto &kernel) {
         for (auto &[name, rules] : kernel.table("nat"))
           rules.clear();
       }}};
  for (const auto &[name, breakage] : breakages) {
    SCOPED_TRACE(name);
    Bench bench;
    ASSERT_TRUE(bench.dataplane->start(table));
    EXPECT_TRUE(bench.dataplane->verify(table)->empty());
    const auto good = *bench.kernel->save("");
    breakage(*bench.kernel);
    EXPECT_FALSE(bench.dataplane->verify(table)->empty());
    ASSERT_TRUE(bench.dataplane->start(table));
    EXPECT_EQ(*bench.kernel->save(""), good);
  }
}

TEST(iptables_ruleset, after_a_failure_the_next_start_brings_everything) {
  Bench bench;
  auto table = table_with(kPlain, kMasqueraded, kMasqueraded);
  ASSERT_TRUE(bench.dataplane->start(table));
  TableDelta delta;
  delta.removeFrontends = {table.frontends.begin()->first};
  bench.kernel->fail_next(Error(Errc::kernel, "out of memory"));
  EXPECT_EQ(bench.dataplane->apply(delta).error().code(), Errc::kernel);
  EXPECT_EQ(bench.dataplane->apply(delta).error().code(), Errc::invalid_input);
  apply_delta(table, delta);
  ASSERT_TRUE(bench.dataplane->start(table));
  EXPECT_TRUE(bench.dataplane->verify(table)->empty());
}

TEST(iptables_ruleset, what_waits_for_the_lock_is_written_with_the_next_change) {
  Bench bench;
  auto table = table_with(kPlain, kMasqueraded, kMasqueraded);
  ASSERT_TRUE(bench.dataplane->start(table));
  TableDelta delta;
  delta.removeFrontends = {table.frontends.begin()->first};
  delta.removeBackends = {BackendSetId(1), BackendSetId(2)};
  bench.kernel->fail_next(Error(Errc::busy, "the lock"));
  EXPECT_EQ(bench.dataplane->apply(delta).error().code(), Errc::busy);
  ASSERT_TRUE(bench.dataplane->apply({}));
  apply_delta(table, delta);
  EXPECT_TRUE(bench.dataplane->verify(table)->empty());
}

TEST(iptables_ruleset, a_start_in_many_commits_ends_where_one_commit_does) {
  tests::RandomWalk walk(Family::ipv4, 11);
  for (int step = 0; step < 60; ++step)
    walk.step();
  Bench whole, parts(Family::ipv4, 3);
  ASSERT_TRUE(whole.dataplane->start(walk.table()));
  ASSERT_TRUE(parts.dataplane->start(walk.table()));
  EXPECT_EQ(whole.kernel->restores(), 1U);
  EXPECT_GT(parts.kernel->restores(), 5U);
  EXPECT_EQ(*whole.kernel->save(""), *parts.kernel->save(""));
}

TEST(iptables_ruleset, the_last_commit_of_a_start_holds_what_leads_to_the_others) {
  auto table = tests::empty_table(Family::ipv4);
  table.backendSets[BackendSetId(1)] = {{at("10.244.0.5:8080"), true}};
  for (unsigned number = 1; number <= 300; ++number)
    table.frontends[{ip("10.96.0.0").advanced(number), Port(80), Protocol::tcp}] = {
        .service = {"default", "s" + std::to_string(number), "http"},
        .from_pod = kPlain,
        .from_node = kPlain,
        .from_outside = kPlain};
  Bench whole, parts(Family::ipv4, 10);
  ASSERT_TRUE(whole.dataplane->start(table));
  ASSERT_TRUE(parts.dataplane->start(table));
  EXPECT_EQ(*whole.kernel->save(""), *parts.kernel->save(""));
  const auto &last = parts.kernel->last_text();
  for (const auto *root : {"SLUICE-A", "SLUICE-R", "SLUICE-SERVICES"})
    EXPECT_NE(last.find(":" + std::string(root) + " "), std::string::npos) << root;
  for (const auto *below : {"SLUICE-A-", "SLUICE-R-", "SLUICE-C-"})
    EXPECT_EQ(last.find(":" + std::string(below)), std::string::npos) << below;
}

TEST(iptables_ruleset, many_small_changes_end_where_one_start_does) {
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    tests::RandomWalk walk(family, 7);
    Bench bench(family);
    auto before = walk.table();
    ASSERT_TRUE(bench.dataplane->start(before));
    for (int step = 0; step < 250; ++step) {
      const auto &now = walk.step();
      const auto applied = bench.dataplane->apply(delta_between(before, now));
      ASSERT_TRUE(applied) << "step " << step << ": " << applied.error().what();
      before = now;
      const auto drift = bench.dataplane->verify(now);
      ASSERT_TRUE(drift && drift->empty()) << "step " << step << ": " << drift->differences.front();
      ASSERT_EQ(bench.reports.back().present.nat, bench.rules("nat")) << "step " << step;
      ASSERT_EQ(bench.reports.back().present.filter, bench.rules("filter")) << "step " << step;
    }
    EXPECT_GT(before.frontends.size(), 20U);
  }
}

} // namespace
} // namespace sluice::proxy::iptables
