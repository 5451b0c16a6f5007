#include "kernel/nft/fake.hpp"
#include "proxy/nftables/dataplane.hpp"
#include "proxy/nftables/layout.hpp"
#include "proxy/nftables/tests/tables.hpp"

#include <random>

namespace sluice::proxy::nftables {
namespace {

using namespace tests;
using kernel::nft::fake::Ruleset;

/// A data plane on a fake kernel that outlives it.
struct World {
  std::shared_ptr<Ruleset> ruleset = std::make_shared<Ruleset>();
  std::unique_ptr<Dataplane> plane;
  kernel::nft::fake::Nft *nft = nullptr;
  Family family;

  explicit World(Family of = Family::ipv4) : family(of) { restart(); }
  void restart(Options options = {}) {
    auto fake = std::make_unique<kernel::nft::fake::Nft>(ruleset);
    nft = fake.get();
    plane = make_dataplane(family, std::move(fake), options);
  }
  std::size_t objects_since(std::size_t commits) const {
    std::size_t sum = 0;
    for (auto i = commits; i < ruleset->commits.size(); ++i)
      sum += ruleset->commits[i];
    return sum;
  }
  std::vector<std::string> drift(const Table &table) {
    const auto found = plane->verify(table);
    return found ? found->differences : std::vector<std::string>{found.error().what()};
  }
};

#define ASSERT_OK(expr)                                                                            \
  do {                                                                                             \
    const auto result_ = (expr);                                                                   \
    ASSERT_TRUE(result_) << result_.error().what();                                                \
  } while (false)

TEST(proxy_nftables_plan, a_started_plane_has_no_drift_and_starting_again_commits_nothing) {
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const std::uint32_t services : {0U, 1U, 300U}) {
      SCOPED_TRACE(std::string(name_of(family)) + " " + std::to_string(services));
      World world(family);
      const auto table = many(family, services, 5);
      ASSERT_OK(world.plane->start(table));
      EXPECT_EQ(world.drift(table), std::vector<std::string>());
      const auto commits = world.ruleset->commits.size();
      world.restart();
      ASSERT_OK(world.plane->start(table));
      EXPECT_EQ(world.objects_since(commits), 0U);
    }
}

TEST(proxy_nftables_plan, one_change_costs_what_it_touches_at_any_size) {
  struct Case {
    const char *name;
    TableDelta delta;
    std::size_t objects;
    const char *sum;
  };
  const auto at = [](const char *address, bool local = false) {
    return Backend{.address = socket_address(address), .local = local};
  };
  for (const std::uint32_t services : {10U, 1000U, 10000U}) {
    const auto table = many(Family::ipv4, services, 5);
    const BackendSetId set(7);
    const auto now = table.backendSets.at(set);
    const auto changed = [&](auto change) {
      TableDelta delta;
      auto next = now;
      change(next);
      std::sort(next.begin(), next.end());
      delta.setBackends[set] = next;
      return delta;
    };
    TableDelta new_service, one_less_service, emptied;
    new_service.setBackends[BackendSetId(90000)] = backends({"10.1.0.1:1", "10.1.0.2:1"});
    new_service.setFrontends[frontend("10.97.0.1:80")] = cluster_ip(90000);
    one_less_service.removeFrontends = {table.frontends.begin()->first};
    one_less_service.removeBackends = {BackendSetId(1)};
    emptied.setFrontends[table.frontends.begin()->first] = cluster_ip(0, "s0");
    emptied.removeBackends = {BackendSetId(1)};
    const Case cases[] = {
        {"one endpoint replaced", changed([&](auto &s) { s[2] = at("10.1.0.1:80"); }), 2,
         "its slot removed and added"},
        {"one endpoint more, a count that others have not",
         changed([&](auto &s) { s.push_back(at("10.1.0.1:80")); }), 1 + 2 + 18,
         "a slot; the count removed and added; chain, four rules and way for each of 3 sources"},
        {"one endpoint less", changed([&](auto &s) { s.erase(s.begin() + 2); }), 2 + 2 + 18,
         "the hole filled; the count; the new count's chains"},
        {"a local endpoint less", changed([&](auto &s) { s.erase(s.begin()); }), 2 + 2 + 18 + 1,
         "as before, and its hairpin"},
        {"a service with two endpoints", new_service, 2 + 1 + 18 + 1 + 1,
         "slots; count; the new count's chains; frontend; cluster-ip"},
        {"a service less", one_less_service, 1 + 1 + 1 + 5 + 1,
         "frontend; cluster-ip; hairpin; slots and count behind it"},
        {"a service without endpoints from now on", emptied, 2 + 1 + 5 + 1,
         "frontend removed and added; hairpin; slots and count behind it"},
    };
    World world;
    for (const auto &c : cases) {
      SCOPED_TRACE(std::string(c.name) + " (" + c.sum + ") at " + std::to_string(services));
      world.ruleset = std::make_shared<Ruleset>();
      world.restart();
      ASSERT_OK(world.plane->start(table));
      const auto commits = world.ruleset->commits.size();
      ASSERT_OK(world.plane->apply(c.delta));
      EXPECT_EQ(world.objects_since(commits), c.objects);
      auto after = table;
      apply_delta(after, c.delta);
      EXPECT_EQ(world.drift(after), std::vector<std::string>());
      if (services == 10000)
        break; // the first one tells it; building the others takes seconds
    }
  }
}

TEST(proxy_nftables_plan, the_first_load_grows_with_the_number_of_services) {
  std::map<std::uint32_t, std::size_t> objects;
  for (const std::uint32_t services : {0U, 10U, 1000U}) {
    World world;
    ASSERT_OK(world.plane->start(many(Family::ipv4, services, 10)));
    objects[services] = world.objects_since(0);
  }
  const auto of_one = (objects[1000] - objects[10]) / 990;
  EXPECT_EQ(of_one, 10U + 1 + 1 + 1 + 1) << "slots, count, frontend, cluster-ip, hairpin";
  EXPECT_EQ(objects[10] - objects[0], 10 * of_one + 18) << "and the pick chains of one count";
}

TEST(proxy_nftables_plan, a_large_load_is_split_and_packets_see_only_the_last_step) {
  World world;
  world.restart({.elementsPerCommit = 500});
  ASSERT_OK(world.plane->start(many(Family::ipv4, 1000, 10)));
  const auto &commits = world.ruleset->commits;
  ASSERT_GT(commits.size(), 10U);
  for (std::size_t i = 0; i + 1 < commits.size(); ++i)
    EXPECT_LE(commits[i], 500U);
}

/// A frontend of any kind that names `set`.
std::pair<Frontend, FrontendInfo> random_frontend(std::mt19937 &random, std::uint32_t set) {
  const auto one_of = [&](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  Frontend frontend{IpAddress::from_v4(0x0a600001 + one_of(8)), Port(80), Protocol::tcp};
  auto info = cluster_ip(set, "s" + std::to_string(set));
  if (one_of(3) == 0) {
    frontend = {std::nullopt, Port(static_cast<std::uint16_t>(30000 + one_of(4))), Protocol::udp};
    info.kind = FrontendKind::node_port;
  } else if (one_of(3) == 0) {
    info.kind = FrontendKind::load_balancer;
    for (auto ranges = one_of(3); ranges > 0; --ranges)
      info.source_ranges.emplace_back(IpAddress::from_v4(0xc0a80000 + one_of(4) * 0x100),
                                      16 + 8 * one_of(3));
  }
  if (one_of(3) == 0)
    info.affinity = std::chrono::seconds(10 + 10 * one_of(2));
  return {frontend, info};
}

/// A random table close to `from`.
Table disturbed(Table table, std::mt19937 &random) {
  const auto one_of = [&](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int changes = 0; changes < 6; ++changes) {
    const BackendSetId set(1 + one_of(12));
    BackendSet backends;
    const auto count = 1 + one_of(5);
    for (std::uint32_t i = 0; i < count; ++i)
      backends.push_back({.address = {IpAddress::from_v4(0x0a010000 + one_of(20)), Port(80)},
                          .local = one_of(2) == 0});
    std::sort(backends.begin(), backends.end());
    backends.erase(std::unique(backends.begin(), backends.end(),
                               [](auto &a, auto &b) { return a.address == b.address; }),
                   backends.end());
    if (one_of(3) != 0)
      table.backendSets[set] = backends;
    const auto [frontend, info] = random_frontend(
        random, table.backendSets.count(set) != 0 && one_of(5) != 0 ? set.value : 0);
    if (one_of(4) == 0)
      table.frontends.erase(frontend);
    else
      table.frontends[frontend] = info;
  }
  // Sets that nobody names are gone, as in the model's tables.
  std::set<BackendSetId> used;
  for (const auto &[frontend, info] : table.frontends)
    used.insert(info.from_pod.backends);
  for (auto at = table.backendSets.begin(); at != table.backendSets.end();)
    at = used.count(at->first) == 0 ? table.backendSets.erase(at) : std::next(at);
  if (one_of(8) == 0)
    table.node.masqueradeBit = static_cast<std::uint8_t>(10 + one_of(6));
  if (one_of(8) == 0)
    table.node.anyNodePortAddress = !table.node.anyNodePortAddress;
  if (one_of(8) == 0)
    table.node.nodePortAddresses = {IpAddress::from_v4(0xc0000201 + one_of(3)), ip("127.0.0.1")};
  if (one_of(12) == 0)
    table.node.serviceCidrs.push_back(Cidr(IpAddress::from_v4(0x0a610000), 16));
  return table;
}

TEST(proxy_nftables_plan, any_sequence_of_changes_gives_the_state_of_a_fresh_start) {
  const auto seed = 20261121U;
  std::mt19937 random(seed);
  World world;
  auto table = many(Family::ipv4, 5, 3);
  ASSERT_OK(world.plane->start(table));
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round));
    const auto next = disturbed(table, random);
    const auto way = random() % 4;
    if (way == 0)
      world.restart();
    if (way <= 1)
      ASSERT_OK(world.plane->start(next));
    else
      ASSERT_OK(world.plane->apply(delta_between(table, next)));
    table = next;
    ASSERT_EQ(world.drift(table), std::vector<std::string>());
  }
}

TEST(proxy_nftables_plan, a_run_that_dies_at_any_commit_is_completed_by_the_next) {
  const auto first = many(Family::ipv4, 20, 3);
  std::mt19937 random(7);
  auto second = first;
  for (int i = 0; i < 5; ++i)
    second = disturbed(second, random);
  for (std::size_t survivor = 0; survivor < 60; ++survivor) {
    SCOPED_TRACE("dies after " + std::to_string(survivor) + " commits");
    World world;
    world.restart({.elementsPerCommit = 10});
    world.nft->fail_after(survivor);
    const auto loaded = world.plane->start(first);
    const auto changed = loaded ? world.plane->apply(delta_between(first, second)) : Result<>();
    world.restart({.elementsPerCommit = 10});
    ASSERT_OK(world.plane->start(second));
    EXPECT_EQ(world.drift(second), std::vector<std::string>());
    // And nothing is left over: a fresh load has as many elements.
    World fresh;
    ASSERT_OK(fresh.plane->start(second));
    const auto &got = world.ruleset->tables.begin()->second.sets;
    for (const auto &[name, set] : fresh.ruleset->tables.begin()->second.sets)
      if (name != kSlots) { // aliases may be there
        EXPECT_EQ(got.at(name).elements.size(), set.elements.size()) << name;
      }
    if (loaded && changed)
      return; // nothing died: every point before was tried
  }
  FAIL() << "more commits than were tried";
}

TEST(proxy_nftables_plan, an_error_leaves_the_kernel_as_it_was_and_asks_for_a_start) {
  World world;
  const auto table = many(Family::ipv4, 3, 3);
  ASSERT_OK(world.plane->start(table));
  auto next = table;
  next.backendSets[BackendSetId(1)].pop_back();
  world.nft->fail_at_op(1);
  EXPECT_FALSE(world.plane->apply(delta_between(table, next)));
  const auto again = world.plane->apply(delta_between(table, next));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::invalid_input);
  world.restart();
  EXPECT_EQ(world.drift(table), std::vector<std::string>());
  ASSERT_OK(world.plane->start(next));
  EXPECT_EQ(world.drift(next), std::vector<std::string>());
}

TEST(proxy_nftables_plan, damage_is_seen_named_and_repaired) {
  struct Case {
    const char *name;
    kernel::nft::Batch damage;
    const char *drift;
  };
  const kernel::nft::TableId id{kernel::nft::TableFamily::ipv4, "sluice-proxy"};
  const auto table = many(Family::ipv4, 3, 3);
  const auto batch = [&] { return kernel::nft::Batch(id); };
  const auto key = frontend_key(frontend("10.96.0.2:80"));
  const auto stranger = frontend_key(frontend("10.96.9.9:80"));
  const Case cases[] = {
      {"the table is gone", batch().remove_table(), "there is no table"},
      {"the rules are gone", batch().flush_table(), "rules of chain nat-prerouting"},
      {"a frontend is gone", batch().remove(kFrontends, key),
       "frontends: 10.96.0.2:80/TCP is missing"},
      {"a frontend is too much",
       batch().add(kFrontends,
                   {.key = stranger, .data = frontend_data(record_of(cluster_ip(0)), {})}),
       "frontends: 10.96.9.9:80/TCP should not be there"},
      {"an endpoint is another one",
       batch().replace(kSlots,
                       {.key = slot_key(1, 0), .data = slot_data(socket_address("1.2.3.4:5"))}),
       "slots: set 1 slot 0 is not as it should be"},
      {"a map is empty", batch().flush_set(kSlots), "slots: set 1 slot 0 is missing"},
      {"a pick chain is empty", batch().flush_chain(pick_chain(Source::pod, 3)),
       "rules of chain pick-pod-3 is missing"},
      {"a rule of somebody else is in our chain",
       batch().add(kernel::nft::Rule{.chain = "filter-forward", .exprs = kernel::nft::drop()}),
       "rules of chain filter-forward is not as it should be"},
      {"a base chain of somebody else is in our table",
       batch().add(kernel::nft::Chain{.name = "x", .base = kernel::nft::BaseChain{}}),
       "chain \"x\" is not as we make it"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    World world;
    ASSERT_OK(world.plane->start(table));
    ASSERT_OK(world.nft->commit(c.damage));
    const auto drift = world.drift(table);
    const auto names = [&](const std::string &line) {
      return line.find(c.drift) != std::string::npos;
    };
    EXPECT_TRUE(std::any_of(drift.begin(), drift.end(), names))
        << (drift.empty() ? "no drift" : drift.front());
    ASSERT_OK(world.plane->start(table));
    EXPECT_EQ(world.drift(table), std::vector<std::string>());
  }
}

TEST(proxy_nftables_plan, a_commit_of_anybody_else_is_noticed_without_reading_back) {
  World world;
  const auto table = many(Family::ipv4, 3, 3);
  ASSERT_OK(world.plane->start(table));
  EXPECT_TRUE(*world.plane->untouched());
  TableDelta delta;
  delta.removeFrontends = {table.frontends.begin()->first};
  delta.removeBackends = {BackendSetId(1)};
  ASSERT_OK(world.plane->apply(delta)); // two commits
  auto after = table;
  apply_delta(after, delta);
  EXPECT_TRUE(*world.plane->untouched());
  const kernel::nft::TableId other{kernel::nft::TableFamily::ipv4, "other"};
  ASSERT_OK(world.nft->commit(kernel::nft::Batch(other).create_table()));
  EXPECT_FALSE(*world.plane->untouched());
  EXPECT_EQ(world.drift(after), std::vector<std::string>());
  EXPECT_TRUE(*world.plane->untouched()) << "looked at, and right";
  ASSERT_OK(world.nft->commit(
      kernel::nft::Batch({kernel::nft::TableFamily::ipv4, "sluice-proxy"}).flush_set(kSlots)));
  EXPECT_FALSE(*world.plane->untouched());
  EXPECT_FALSE(world.drift(after).empty());
  EXPECT_FALSE(*world.plane->untouched()) << "looked at, and wrong";
  ASSERT_OK(world.plane->start(after));
  EXPECT_TRUE(*world.plane->untouched());
}

TEST(proxy_nftables_plan, the_families_know_each_others_commits) {
  auto ruleset = std::make_shared<Ruleset>();
  Options options;
  const auto plane = [&](Family family) {
    return make_dataplane(family, std::make_unique<kernel::nft::fake::Nft>(ruleset), options);
  };
  const auto v4 = plane(Family::ipv4), v6 = plane(Family::ipv6);
  ASSERT_OK(v4->start(many(Family::ipv4, 3, 3)));
  ASSERT_OK(v6->start(many(Family::ipv6, 3, 3)));
  EXPECT_TRUE(*v4->untouched());
  TableDelta delta;
  delta.removeFrontends = {many(Family::ipv4, 3, 3).frontends.begin()->first};
  ASSERT_OK(v4->apply(delta));
  EXPECT_TRUE(*v6->untouched());
  ASSERT_OK(v6->remove());
  EXPECT_TRUE(*v4->untouched());
}

TEST(proxy_nftables_plan, growth_beyond_the_maps_replaces_the_table_in_one_commit) {
  World world;
  const auto small = many(Family::ipv4, 100, 2);
  ASSERT_OK(world.plane->start(small));
  auto large = many(Family::ipv4, 9000, 2);
  const auto commits = world.ruleset->commits.size();
  ASSERT_OK(world.plane->apply(delta_between(small, large)));
  EXPECT_EQ(world.ruleset->commits.size(), commits + 1);
  EXPECT_EQ(world.drift(large), std::vector<std::string>());
  EXPECT_GE(world.ruleset->tables.begin()->second.sets.at(kFrontends).set.size, 18000U);
}

TEST(proxy_nftables_plan, a_table_of_another_layout_is_replaced_in_one_commit) {
  World world;
  const kernel::nft::TableId id{kernel::nft::TableFamily::ipv4, "sluice-proxy"};
  kernel::nft::Batch old(id);
  old.create_table("sluice-proxy layout 0").add(kernel::nft::Chain{.name = "old"});
  ASSERT_OK(world.nft->commit(old));
  const auto table = many(Family::ipv4, 3, 3);
  ASSERT_OK(world.plane->start(table));
  EXPECT_EQ(world.ruleset->commits.size(), 2U);
  EXPECT_EQ(world.drift(table), std::vector<std::string>());
}

TEST(proxy_nftables_plan, remove_leaves_nothing_of_ours_and_everything_of_others) {
  World world;
  const kernel::nft::TableId other{kernel::nft::TableFamily::ipv4, "other"};
  ASSERT_OK(world.nft->commit(kernel::nft::Batch(other).create_table()));
  ASSERT_OK(world.plane->start(many(Family::ipv4, 2, 2)));
  ASSERT_OK(world.plane->remove());
  ASSERT_EQ(world.ruleset->tables.size(), 1U);
  EXPECT_EQ(world.ruleset->tables.begin()->first, other);
  ASSERT_OK(world.plane->remove());
}

TEST(proxy_nftables_plan, explains_from_what_it_programmed) {
  World world;
  const auto table = many(Family::ipv4, 2, 2);
  ASSERT_OK(world.plane->start(table));
  const auto explained = world.plane->explain({.source = ip("10.244.0.9"),
                                               .destination = ip("10.96.0.1"),
                                               .sourcePort = Port(1000),
                                               .destinationPort = Port(80),
                                               .protocol = Protocol::tcp,
                                               .inInterface = "veth0"});
  ASSERT_TRUE(explained) << explained.error().what();
  EXPECT_EQ(explained->verdict, "translate");
  ASSERT_EQ(explained->backends.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(explained->backends[i].address, table.backendSets.at(BackendSetId(1))[i].address);
  EXPECT_FALSE(explained->masquerade);
  EXPECT_EQ(explained->objects.front(),
            "element ip sluice-proxy frontends { 10.96.0.1 . TCP . 80 }");
}

} // namespace
} // namespace sluice::proxy::nftables
