// The data plane against a kernel in memory.
#include "proxy/ipvs/tests/world.hpp"

namespace sluice::proxy::ipvs {
namespace {

using namespace tests;
using kernel::ipvs::AddressId;
using kernel::ipvs::MarkId;

const Frontend kWeb = frontend("10.96.0.1:80");
const Frontend kNodePort{std::nullopt, Port(30080), Protocol::tcp};

Table web() {
  auto table = empty_table(Family::ipv4);
  table.backendSets[BackendSetId(1)] = backends({"10.244.0.3:80", "10.244.0.4:80"}, true);
  table.frontends[kWeb] = cluster_ip(1);
  return table;
}

void change(Dataplane &dataplane, Table &from, const Table &to) {
  const auto done = dataplane.apply(delta_between(from, to));
  ASSERT_TRUE(done) << done.error().what();
  from = to;
}

Drift verified(Dataplane &dataplane, const Table &table) {
  auto drift = dataplane.verify(table);
  EXPECT_TRUE(drift) << drift.error().what();
  return drift ? *drift : Drift{};
}

std::string text_of(const Drift &drift) {
  std::string text;
  for (const auto &line : drift.differences)
    text += line + "\n";
  return text;
}

/// What a packet of each class finds at each frontend, and what IPVS has beside.
std::string behaviour(const World &world, const Table &table) {
  std::string text;
  for (const auto &[frontend, info] : table.frontends)
    for (const auto source : kSources)
      text += frontend.str() + ": " + world.destinations(world.mark_of(frontend, source)) + "\n";
  return text + std::to_string(world.ipvs->services.size()) + " services, " +
         std::to_string(world.elements(kServers).size()) + " recorded";
}

TEST(proxy_ipvs, a_frontend_leads_to_a_virtual_service_with_its_endpoints) {
  World world;
  const auto dataplane = world.started(web());
  const auto mark = world.mark_of(kWeb);
  EXPECT_EQ(mark, 0x0800'0001U);
  EXPECT_EQ(world.mark_of(kWeb, Source::outside), mark);
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80 10.244.0.4:80");
  EXPECT_TRUE(*world.prepared);
  EXPECT_EQ(text_of(verified(*dataplane, web())), "");
}

TEST(proxy_ipvs, frontends_of_one_set_share_a_service_but_not_across_protocols) {
  World world;
  auto table = web();
  table.frontends[kNodePort] = cluster_ip(1);
  table.frontends[frontend("10.96.0.1:80", Protocol::udp)] = cluster_ip(1);
  const auto dataplane = world.started(table);
  EXPECT_EQ(world.mark_of(kNodePort), world.mark_of(kWeb));
  EXPECT_NE(world.mark_of(frontend("10.96.0.1:80", Protocol::udp)), world.mark_of(kWeb));
  EXPECT_EQ(world.ipvs->services.size(), 2U);
}

TEST(proxy_ipvs, each_class_of_sources_has_its_endpoints) {
  World world;
  auto table = web();
  table.backendSets[BackendSetId(2)] = backends({"10.244.0.3:80"}, true);
  auto &info = table.frontends[kNodePort] = cluster_ip(1);
  info.kind = FrontendKind::node_port;
  info.from_outside = {BackendSetId(2), false};
  const auto dataplane = world.started(table);
  EXPECT_EQ(world.destinations(world.mark_of(kNodePort, Source::outside)), "10.244.0.3:80");
  EXPECT_EQ(world.destinations(world.mark_of(kNodePort, Source::node)),
            "10.244.0.3:80 10.244.0.4:80");
  table.frontends[kNodePort].from_outside = {BackendSetId(0), false, WhenEmpty::drop};
  const auto other = world.started(table);
  EXPECT_EQ(world.mark_of(kNodePort, Source::outside), 0U);
}

TEST(proxy_ipvs, a_restart_finds_everything_as_it_was_and_writes_nothing) {
  World world;
  auto table = web();
  table.frontends[kWeb].affinity = std::chrono::seconds(60);
  (void)world.started(table);
  const auto commits = world.ruleset->commits.size();
  const auto operations = world.ipvs->operations;
  const auto again = world.started(table);
  EXPECT_EQ(world.ruleset->commits.size(), commits);
  EXPECT_EQ(world.ipvs->operations - operations, 2U) << "only the look for the scheduler";
}

TEST(proxy_ipvs, an_endpoint_that_leaves_drains) {
  World world;
  auto table = web(), less = web();
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  const auto dataplane = world.started(table);
  const auto mark = world.mark_of(kWeb);
  world.set_connections(mark, "10.244.0.3:80", 1);
  change(*dataplane, table, less);
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0 10.244.0.4:80");
  ASSERT_EQ(dataplane->draining().size(), 1U);
  EXPECT_EQ(dataplane->draining().front().address, at("10.244.0.3:80"));
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0 10.244.0.4:80") << "it has a connection";
  world.set_connections(mark, "10.244.0.3:80", 0);
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(mark), "10.244.0.4:80");
  EXPECT_TRUE(dataplane->draining().empty());
}

TEST(proxy_ipvs, an_endpoint_that_comes_back_while_it_drains_is_used_again) {
  World world;
  auto table = web(), less = web();
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  const auto dataplane = world.started(table);
  const auto mark = world.mark_of(kWeb);
  world.set_connections(mark, "10.244.0.3:80", 1);
  change(*dataplane, table, less);
  change(*dataplane, table, web());
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80 10.244.0.4:80");
  world.set_connections(mark, "10.244.0.3:80", 0);
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80 10.244.0.4:80");
}

TEST(proxy_ipvs, a_drain_survives_restarts_and_ends) {
  World world;
  auto less = web();
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  (void)world.started(web());
  const auto mark = world.mark_of(kWeb);
  world.set_connections(mark, "10.244.0.3:80", 1);
  (void)world.started(less); // it left while no proxy ran
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0 10.244.0.4:80");
  const auto again = world.started(less);
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0 10.244.0.4:80");
  world.set_connections(mark, "10.244.0.3:80", 0);
  EXPECT_EQ(text_of(verified(*again, less)), "");
  EXPECT_EQ(world.destinations(mark), "10.244.0.4:80");
  // And an endpoint that was draining and is wanted again after a restart.
  world.set_connections(mark, "10.244.0.4:80", 1);
  world.ipvs->services.at(MarkId{Family::ipv4, mark})
      .destinations.at(at("10.244.0.4:80"))
      .destination.weight = 0;
  const auto last = world.started(less);
  EXPECT_EQ(world.destinations(mark), "10.244.0.4:80");
}

TEST(proxy_ipvs, a_drain_ends_at_its_limit) {
  World world;
  world.options.tcpDrainLimit = std::chrono::minutes(5);
  auto table = web(), less = web();
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  const auto dataplane = world.started(table);
  const auto mark = world.mark_of(kWeb);
  world.set_connections(mark, "10.244.0.3:80", 1);
  change(*dataplane, table, less);
  world.clock.advance(std::chrono::minutes(4));
  (void)verified(*dataplane, table);
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0 10.244.0.4:80");
  world.clock.advance(std::chrono::minutes(1));
  (void)verified(*dataplane, table);
  EXPECT_EQ(world.destinations(mark), "10.244.0.4:80");
}

TEST(proxy_ipvs, an_endpoint_of_udp_goes_at_once) {
  World world;
  const auto dns = frontend("10.96.0.10:53", Protocol::udp);
  auto table = web();
  table.frontends = {{dns, cluster_ip(1)}};
  auto less = table;
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  const auto dataplane = world.started(table);
  world.set_connections(world.mark_of(dns), "10.244.0.3:80", 1);
  change(*dataplane, table, less);
  EXPECT_EQ(world.destinations(world.mark_of(dns)), "10.244.0.4:80");
  change(*dataplane, table, empty_table(Family::ipv4));
  EXPECT_TRUE(world.ipvs->services.empty());
  EXPECT_TRUE(world.elements(kServers).empty());
}

TEST(proxy_ipvs, a_service_that_is_deleted_keeps_its_connections) {
  World world;
  auto table = web();
  const auto dataplane = world.started(table);
  const auto mark = world.mark_of(kWeb);
  world.set_connections(mark, "10.244.0.3:80", 1);
  change(*dataplane, table, empty_table(Family::ipv4));
  EXPECT_EQ(world.mark_of(kWeb), 0U);
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0 10.244.0.4:80*0");
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0");
  // A restart knows it by its record.
  const auto again = world.started(empty_table(Family::ipv4));
  EXPECT_EQ(world.destinations(mark), "10.244.0.3:80*0");
  world.set_connections(mark, "10.244.0.3:80", 0);
  EXPECT_EQ(text_of(verified(*again, table)), "");
  EXPECT_EQ(world.destinations(mark), "none");
  EXPECT_TRUE(world.elements(kServers).empty());
}

TEST(proxy_ipvs, virtual_services_of_others_stay_and_their_marks_are_not_used) {
  World world;
  kernel::ipvs::fake::Ipvs others(world.ipvs);
  const kernel::ipvs::ServiceId address = AddressId{Protocol::tcp, at("192.0.2.9:80")};
  const kernel::ipvs::ServiceId first = MarkId{Family::ipv4, 0x0800'0001};
  for (const auto &id : {address, first}) {
    ASSERT_TRUE(others.apply({kernel::ipvs::AddService{{.id = id, .scheduler = "lc"}}}));
    ASSERT_TRUE(others.apply({kernel::ipvs::AddDestination{id, {.address = at("192.0.2.7:80")}}}));
  }
  const auto dataplane = world.started(web());
  EXPECT_EQ(world.mark_of(kWeb), 0x0800'0002U);
  EXPECT_EQ(text_of(verified(*dataplane, web())), "");
  const auto removed = dataplane->remove();
  ASSERT_TRUE(removed) << removed.error().what();
  EXPECT_EQ(world.ipvs->services.size(), 2U);
  for (const auto &[id, state] : world.ipvs->services)
    EXPECT_EQ(state.destinations.size(), 1U);
  EXPECT_TRUE(world.ruleset->tables.empty());
  EXPECT_FALSE(*world.prepared);
  EXPECT_TRUE(dataplane->remove()) << "there is nothing left to remove";
}

/// TCP 10.96.0.1:80 with a connection to 10.244.0.3, UDP 10.96.0.10:53 with one to 10.244.0.4.
Table busy(World &world) {
  auto table = web();
  table.frontends[frontend("10.96.0.10:53", Protocol::udp)] = cluster_ip(1);
  *world.open = {{Protocol::tcp, at("10.244.0.3:80")}, {Protocol::udp, at("10.244.0.4:80")}};
  return table;
}

TEST(proxy_ipvs, another_mode_takes_over_and_open_connections_keep_what_they_need) {
  World world;
  const auto table = busy(world);
  (void)world.started(table);
  const auto tcp = world.mark_of(kWeb);
  const auto udp = world.mark_of(frontend("10.96.0.10:53", Protocol::udp));
  const auto drained = [&] { // by a program that was just started
    const auto done = world.dataplane()->drain();
    EXPECT_TRUE(done) << done.error().what();
    return done && *done;
  };
  EXPECT_FALSE(drained());
  EXPECT_TRUE(world.elements(kFrontends).empty()) << "no new connections";
  EXPECT_EQ(world.destinations(tcp), "10.244.0.3:80*0");
  EXPECT_EQ(world.destinations(udp), "10.244.0.4:80*0") << "a flow of UDP goes on too";
  const auto commits = world.ruleset->commits.size();
  EXPECT_FALSE(drained());
  EXPECT_EQ(world.ruleset->commits.size(), commits);
  world.open->erase({Protocol::tcp, at("10.244.0.3:80")});
  EXPECT_FALSE(drained());
  EXPECT_EQ(world.destinations(tcp), "none");
  EXPECT_TRUE(*world.prepared);
  world.open->clear();
  EXPECT_TRUE(drained());
  EXPECT_TRUE(world.ruleset->tables.empty());
  EXPECT_TRUE(world.ipvs->services.empty());
  EXPECT_FALSE(*world.prepared);
  EXPECT_TRUE(drained()) << "there is nothing left";
}

TEST(proxy_ipvs, a_mode_that_comes_back_while_it_drains_is_whole_again) {
  World world, fresh;
  const auto table = busy(world);
  (void)world.started(table);
  EXPECT_FALSE(*world.dataplane()->drain());
  const auto again = world.started(table);
  EXPECT_EQ(text_of(verified(*again, table)), "");
  (void)fresh.started(table);
  EXPECT_EQ(behaviour(world, table), behaviour(fresh, table));
}

TEST(proxy_ipvs, a_drain_that_dies_at_any_step_is_completed_by_the_next) {
  for (std::size_t step = 0; step < 8; ++step)
    for (const bool in_ipvs : {false, true}) {
      SCOPED_TRACE(std::to_string(step) + (in_ipvs ? " ipvs" : " nft"));
      World world;
      (void)world.started(busy(world));
      const auto dying = world.dataplane();
      if (in_ipvs)
        world.virtuals->fail_after(step);
      else
        world.nft->fail_after(step);
      (void)dying->drain();
      world.open->clear();
      const auto done = world.dataplane()->drain();
      ASSERT_TRUE(done) << done.error().what();
      EXPECT_TRUE(*done);
      EXPECT_TRUE(world.ruleset->tables.empty());
      EXPECT_TRUE(world.ipvs->services.empty());
    }
}

TEST(proxy_ipvs, open_connections_are_read_as_the_kernel_writes_them) {
  const std::string text =
      "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
      "TCP 0AF40005 8000 0A600001 0050 0AF40003 1F90 ESTABLISHED     899\n"
      "TCP 0AF40005 8001 0A600001 0050 0AF40004 1F90 TIME_WAIT       115\n"
      "TCP 0AF40005 8002 0A600001 0050 0AF40005 1F90 FIN_WAIT        115\n"
      "UDP 0AF40005 8003 0A600001 0035 0AF40003 0035 UDP             299\n"
      "TCP fd00:0000:0000:0000:0000:0000:0000:0005 8000 fd00:0000:0000:0000:0000:0000:0000:0001 "
      "0050 fd00:0000:0000:0000:0000:0000:0000:0003 1F90 ESTABLISHED     899\n"
      "TCP 0AF40005 8004 0A600001 0050 nonsense\n";
  EXPECT_EQ(open_connections_in(text, Family::ipv4),
            (OpenConnections{{Protocol::tcp, at("10.244.0.3:8080")},
                             {Protocol::tcp, at("10.244.0.5:8080")},
                             {Protocol::udp, at("10.244.0.3:53")}}));
  EXPECT_EQ(open_connections_in(text, Family::ipv6),
            (OpenConnections{{Protocol::tcp, at("[fd00::3]:8080")}}));
}

TEST(proxy_ipvs, a_scheduler_that_the_kernel_does_not_have_is_an_error_that_says_so) {
  World world;
  world.options.scheduler = "best";
  const auto done = world.dataplane()->start(empty_table(Family::ipv4));
  ASSERT_FALSE(done);
  for (const auto *says : {"scheduler \"best\": modprobe ip_vs_best", "rr, wrr, lc"})
    EXPECT_NE(done.error().what().find(says), std::string::npos) << done.error().what();
}

TEST(proxy_ipvs, another_scheduler_after_a_restart_replaces_the_services_and_keeps_their_flows) {
  World world;
  const auto dns = frontend("10.96.0.10:53", Protocol::udp);
  auto table = web();
  table.frontends[dns] = cluster_ip(1);
  (void)world.started(table);
  const auto tcp = world.mark_of(kWeb), udp = world.mark_of(dns);
  for (const auto mark : {tcp, udp})
    world.set_connections(mark, "10.244.0.3:80", 1);
  world.options.scheduler = "mh";
  const auto dataplane = world.started(table);
  const auto &service = world.ipvs->services.at(MarkId{Family::ipv4, world.mark_of(kWeb)}).service;
  EXPECT_EQ(service.scheduler, "mh");
  EXPECT_EQ(service.flags, kernel::ipvs::kHashPorts | kernel::ipvs::kHashFallback);
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(tcp), "10.244.0.3:80*0");
  EXPECT_EQ(world.destinations(udp), "10.244.0.3:80*0");
  // An endpoint that leaves takes its flows of UDP along.
  auto less = table;
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  change(*dataplane, table, less);
  EXPECT_EQ(world.destinations(tcp), "10.244.0.3:80*0");
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(udp), "none");
  world.set_connections(tcp, "10.244.0.3:80", 0);
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(tcp), "none");
}

TEST(proxy_ipvs, with_scheduler_dh_a_service_that_loses_an_endpoint_is_replaced) {
  World world;
  world.options.scheduler = "dh";
  auto table = web(), less = web(), more = web();
  table.frontends[kWeb].affinity = less.frontends[kWeb].affinity = more.frontends[kWeb].affinity =
      std::chrono::seconds(60);
  less.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80"});
  more.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80", "10.244.0.5:80"});
  auto dataplane = world.started(table);
  const auto first = world.mark_of(kWeb);
  world.set_connections(first, "10.244.0.3:80", 1);
  change(*dataplane, table, less);
  const auto second = world.mark_of(kWeb);
  EXPECT_EQ(world.destinations(second), "10.244.0.4:80");
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.destinations(first), "10.244.0.3:80*0");
  change(*dataplane, table, more);
  EXPECT_EQ(world.mark_of(kWeb), second) << "one more endpoint needs no other service";
  world.set_connections(second, "10.244.0.5:80", 1);
  dataplane = world.started(less); // it left while no proxy ran
  EXPECT_NE(world.mark_of(kWeb), second);
  EXPECT_EQ(world.destinations(world.mark_of(kWeb)), "10.244.0.4:80");
  EXPECT_EQ(world.destinations(second), "10.244.0.5:80*0");
  EXPECT_EQ(text_of(verified(*dataplane, less)), "");
}

TEST(proxy_ipvs, with_scheduler_ovf_an_endpoint_has_room_for_more_than_one_connection) {
  World world;
  world.options.scheduler = "ovf";
  const auto dataplane = world.started(web());
  EXPECT_EQ(world.destinations(world.mark_of(kWeb)), "10.244.0.3:80*65536 10.244.0.4:80*65536");
  EXPECT_EQ(text_of(verified(*dataplane, web())), "");
}

TEST(proxy_ipvs, affinity_has_a_way_to_each_endpoint_alone) {
  World world;
  auto table = web();
  table.frontends[kWeb].affinity = std::chrono::seconds(60);
  auto plain = web();
  const auto dataplane = world.started(table);
  const auto mark = world.mark_of(kWeb);
  const auto &pins = world.elements(kPinned);
  ASSERT_EQ(pins.size(), 2U);
  for (const auto *endpoint : {"10.244.0.3:80", "10.244.0.4:80"}) {
    const auto found = pins.find(pinned_key(mark, at(endpoint)));
    ASSERT_NE(found, pins.end());
    EXPECT_EQ(world.destinations(found->second.data.u32_at(0)), endpoint);
  }
  EXPECT_EQ(world.elements(kTimeouts).size(), 1U);
  change(*dataplane, table, plain);
  EXPECT_TRUE(world.elements(kPinned).empty());
  EXPECT_TRUE(world.elements(kTimeouts).empty());
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  EXPECT_EQ(world.ipvs->services.size(), 1U);
}

TEST(proxy_ipvs, source_ranges_are_a_chain_of_their_frontend) {
  World world;
  auto table = web(), wider = web();
  const auto chains = [&] {
    std::size_t count = 0;
    for (const auto &[name, chain] : world.ruleset->tables.begin()->second.chains)
      count += name.rfind("ranges-", 0) == 0 ? chain.rules.size() : 0;
    return count;
  };
  table.frontends[kWeb].source_ranges = {*Cidr::parse("192.0.2.0/24")};
  wider.frontends[kWeb].source_ranges = {*Cidr::parse("192.0.2.0/24"), *Cidr::parse("10.0.0.0/8")};
  const auto dataplane = world.started(table);
  EXPECT_EQ(chains(), 2U);
  change(*dataplane, table, wider);
  EXPECT_EQ(chains(), 3U);
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
  change(*dataplane, table, web());
  EXPECT_EQ(chains(), 0U);
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
}

struct DamageCase {
  const char *name;
  void (*damage)(World &);
  const char *said;
  int line;
};

kernel::nft::fake::Ruleset::TableState &table_of(World &world) {
  return world.ruleset->tables.begin()->second;
}

const DamageCase kDamage[] = {
    {"a virtual service is gone", [](World &w) { w.ipvs->services.clear(); }, "is missing",
     __LINE__},
    {"a destination is gone",
     [](World &w) { w.ipvs->services.begin()->second.destinations.clear(); }, "destinations",
     __LINE__},
    {"a weight was changed",
     [](World &w) {
       w.ipvs->services.begin()->second.destinations.begin()->second.destination.weight = 7;
     },
     "destinations", __LINE__},
    {"a frontend is gone", [](World &w) { table_of(w).sets.at(kFrontends).elements.clear(); },
     "frontends", __LINE__},
    {"a rule is gone", [](World &w) { table_of(w).chains.at("guard").rules.clear(); }, "guard",
     __LINE__},
    {"a chain is gone", [](World &w) { table_of(w).chains.erase("guard"); }, "guard", __LINE__},
    {"the record is gone", [](World &w) { table_of(w).sets.at(kServers).elements.clear(); },
     "servers", __LINE__},
    {"the table is gone", [](World &w) { w.ruleset->tables.clear(); }, "missing", __LINE__},
    {"the routing rule is gone", [](World &w) { *w.prepared = false; }, "not prepared", __LINE__},
};

TEST(proxy_ipvs, damage_is_told_and_the_next_start_repairs_it) {
  for (const auto &c : kDamage) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    World world;
    const auto dataplane = world.started(web());
    c.damage(world);
    const auto told = text_of(verified(*dataplane, web()));
    EXPECT_NE(told.find(c.said), std::string::npos) << told;
    const auto done = dataplane->start(web());
    ASSERT_TRUE(done) << done.error().what();
    EXPECT_EQ(text_of(verified(*dataplane, web())), "");
    EXPECT_EQ(world.destinations(world.mark_of(kWeb)), "10.244.0.3:80 10.244.0.4:80");
    EXPECT_EQ(world.ipvs->services.size(), 1U) << "nothing is forgotten and left behind";
    EXPECT_EQ(world.elements(kServers).size(), 1U);
  }
}

TEST(proxy_ipvs, a_run_that_dies_at_any_step_is_completed_by_the_next) {
  auto from = web(), to = web();
  from.frontends[kWeb].affinity = std::chrono::seconds(60);
  from.frontends[frontend("10.96.0.2:53", Protocol::udp)] = cluster_ip(1);
  to.backendSets[BackendSetId(1)] = backends({"10.244.0.4:80", "10.244.0.5:80"});
  to.backendSets[BackendSetId(2)] = backends({"10.244.0.9:80"});
  to.frontends[kNodePort] = cluster_ip(2);
  World fresh;
  (void)fresh.started(to);
  for (std::size_t step = 0; step < 24; ++step)
    for (const bool in_ipvs : {false, true})
      for (const bool restart : {false, true}) {
        SCOPED_TRACE(std::to_string(step) + (in_ipvs ? " ipvs" : " nft") +
                     (restart ? " restart" : " change"));
        World world;
        auto dataplane = world.started(from);
        if (restart)
          dataplane = world.dataplane();
        if (in_ipvs)
          world.virtuals->fail_after(step);
        else
          world.nft->fail_after(step);
        (void)(restart ? dataplane->start(to) : dataplane->apply(delta_between(from, to)));
        const auto again = world.started(to);
        EXPECT_EQ(text_of(verified(*again, to)), "");
        EXPECT_EQ(behaviour(world, to), behaviour(fresh, to));
      }
}

TEST(proxy_ipvs, any_sequence_of_changes_ends_as_a_fresh_start_does) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    unsigned state = seed;
    const auto random = [&](unsigned below) {
      state = state * 1'103'515'245U + 12'345U;
      return (state >> 16U) % below;
    };
    const auto random_table = [&] {
      auto table = empty_table(Family::ipv4);
      for (std::uint32_t set = 1; set <= 3; ++set)
        for (std::uint32_t e = 0; e <= random(4); ++e)
          table.backendSets[BackendSetId(set)].push_back(
              {.address = {ip("10.244.0.1").advanced(set * 10 + e), Port(8080)},
               .local = random(2) == 0});
      for (std::uint32_t f = 0; f < 8; ++f) {
        if (random(3) == 0)
          continue;
        auto info = cluster_ip(1 + random(3), "s" + std::to_string(f));
        info.from_outside.backends = BackendSetId(random(4));
        if (random(3) == 0)
          info.affinity = std::chrono::seconds(60 * (1 + random(2)));
        if (random(4) == 0)
          info.source_ranges = {*Cidr::parse(random(2) == 0 ? "192.0.2.0/24" : "10.0.0.0/8")};
        table.frontends[{ip("10.96.0.1").advanced(f / 2), Port(static_cast<std::uint16_t>(80 + f)),
                         random(2) == 0 ? Protocol::tcp : Protocol::udp}] = info;
      }
      return table;
    };
    World world;
    auto table = random_table();
    const auto dataplane = world.started(table);
    for (int i = 0; i < 12; ++i) {
      change(*dataplane, table, random_table());
      ASSERT_EQ(text_of(verified(*dataplane, table)), "");
      ASSERT_EQ(text_of(verified(*dataplane, table)), "");
      World fresh;
      (void)fresh.started(table);
      ASSERT_EQ(behaviour(world, table), behaviour(fresh, table));
    }
  }
}

TEST(proxy_ipvs, ipv6_is_the_same) {
  World world;
  world.family = Family::ipv6;
  auto table = empty_table(Family::ipv6);
  const auto web6 = frontend("[fd00:10:96::1]:80");
  table.backendSets[BackendSetId(1)] = backends({"[fd00:10:244::3]:80"}, true);
  table.frontends[web6] = cluster_ip(1);
  table.frontends[web6].affinity = std::chrono::seconds(60);
  const auto dataplane = world.started(table);
  EXPECT_EQ(world.destinations(world.mark_of(web6)), "[fd00:10:244::3]:80");
  EXPECT_EQ(text_of(verified(*dataplane, table)), "");
}

} // namespace
} // namespace sluice::proxy::ipvs
