// Cases T060 to T069: lists of plugins, as a runtime library drives them.
#include "integration/cni/network_list.hpp"

#include <gtest/gtest.h>

namespace sluice::integration {
namespace {

constexpr const char *kPorts =
    R"({"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}],"bandwidth":)"
    R"({"ingressRate":8000000,"ingressBurst":8000000,"egressRate":8000000,"egressBurst":8000000}})";

class cni_runtime_cases : public testing::Test {
protected:
  /// The whole chain that Kubernetes nodes have.
  std::string chain(const std::string &version, const std::string &more = "",
                    const std::string &subnet = "10.77.0.0/24") const {
    return R"({"cniVersion":")" + version + R"(","name":"net",)" + more +
           R"("plugins":[{"type":"bridge","bridge":"cni0","isDefaultGateway":true,"ipMasq":true,)"
           R"("ipam":{"type":"host-local","dataDir":")" +
           runtime.folder().path() + R"(","ranges":[[{"subnet":")" + subnet +
           R"("}],[{"subnet":"fd77::/64"}]]}},)"
           R"({"type":"portmap","backend":"nftables","capabilities":{"portMappings":true}},)" +
           (version < "0.3.0" ? "" : R"({"type":"bandwidth","capabilities":{"bandwidth":true}},)") +
           R"({"type":"tuning","mtu":1400,"dataDir":")" + runtime.folder().path() +
           R"(/tuning"}]})";
  }
  void expect_clean() {
    runtime.expect_nothing_left();
    EXPECT_EQ(runtime.on_host("ip -br link show type ifb"), "");
    EXPECT_FALSE(has(runtime.on_host("nft list ruleset"), "8080"));
    EXPECT_EQ(listing(runtime.folder().path() + "/tuning"), "");
  }
  Runtime runtime;
};

TEST_F(cni_runtime_cases, T060_T061_T062_a_chain_comes_and_goes_in_every_version) {
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    NetworkList list(runtime, chain(version), kPorts);
    const auto added = list.add("c1");
    ASSERT_EQ(added.exit_status, 0) << added.output;
    EXPECT_TRUE(has(added.output, "fd77::")) << added.output;
    EXPECT_TRUE(has(runtime.on_host("nft list ruleset"), "8080"));
    EXPECT_TRUE(has(runtime.in_pod("c1", "ip link show eth0"), "mtu 1400"));
    if (has_check(version)) {
      EXPECT_EQ(list.check("c1").output, "");
    }
    list.calls.clear();
    EXPECT_EQ(list.del("c1").output, "");
    EXPECT_EQ(list.calls.front() + ", " + list.calls.back(), "DEL tuning, DEL bridge");
    expect_clean();
    EXPECT_EQ(list.del("c1").output, "") << "nothing is kept any more";
    EXPECT_EQ(list.del("c2").output, "") << "it never was";
  }
}

TEST_F(cni_runtime_cases, T063_a_damaged_cache_stops_check_and_not_del) {
  for (const std::string version : {"0.4.0", "1.0.0", "1.1.0"}) {
    NetworkList list(runtime, chain(version), kPorts);
    ASSERT_EQ(list.add("c1").exit_status, 0);
    list.kept["c1"] = "{\"cniVersion\":";
    EXPECT_NE(list.check("c1").exit_status, 0);
    EXPECT_EQ(list.del("c1").output, "");
    expect_clean();
  }
}

TEST_F(cni_runtime_cases, T064_a_list_may_go_without_check_and_gc) {
  NetworkList list(runtime, chain("1.1.0", R"("disableCheck":true,"disableGC":true,)"), kPorts);
  ASSERT_EQ(list.add("c1").exit_status, 0);
  list.calls.clear();
  EXPECT_EQ(list.check("c1").exit_status, 0);
  EXPECT_EQ(list.gc({}).exit_status, 0);
  EXPECT_TRUE(list.calls.empty());
  EXPECT_EQ(list.del("c1").output, "");
}

TEST_F(cni_runtime_cases, T065_gc_deletes_what_is_stale_and_every_plugin_is_asked) {
  NetworkList list(runtime, chain("1.1.0"), kPorts);
  for (const auto *id : {"c1", "c2", "c3"})
    ASSERT_EQ(list.add(id).exit_status, 0);
  list.kept.erase("c3"); // the runtime has lost it
  list.calls.clear();
  EXPECT_EQ(list.gc({"c1"}).output, "");
  const std::vector<std::string> wanted = {"DEL tuning",   "DEL bandwidth", "DEL portmap",
                                           "DEL bridge",   "GC bridge",     "GC portmap",
                                           "GC bandwidth", "GC tuning"};
  EXPECT_EQ(list.calls, wanted);
  EXPECT_EQ(runtime.reserved(), "10.77.0.2 fd77::2");
  EXPECT_EQ(runtime.on_host("ip -br link show type veth | wc -l"), "1\n");
  EXPECT_EQ(list.check("c1").output, "");
  list.sends_valid_attachments = false;
  list.kept.clear();
  EXPECT_EQ(list.gc({}).output, "") << "without the key nothing is removed";
  EXPECT_EQ(runtime.reserved(), "10.77.0.2 fd77::2");
  list.sends_valid_attachments = true;
  EXPECT_EQ(list.gc({}).output, "");
  expect_clean();
}

TEST_F(cni_runtime_cases, T066_status_tells_of_the_first_plugin_that_is_not_ready) {
  NetworkList list(runtime, chain("1.1.0", "", "10.77.0.0/30"), kPorts);
  EXPECT_EQ(list.status().output, "");
  ASSERT_EQ(list.add("c1").exit_status, 0);
  list.calls.clear();
  EXPECT_EQ(code_of(list.status().output), 50U);
  EXPECT_EQ(list.calls.size(), 1U);
  EXPECT_EQ(list.del("c1").output, "");
  EXPECT_EQ(list.status().output, "");
}

TEST_F(cni_runtime_cases, T068_capabilities_arrive_only_where_they_are_declared) {
  for (const auto &version : kVersions) {
    auto undeclared = chain(version);
    for (auto at = undeclared.find("capabilities"); at != std::string::npos;
         at = undeclared.find("capabilities"))
      undeclared.replace(at, 12, "incapability");
    NetworkList list(runtime, undeclared, kPorts);
    ASSERT_EQ(list.add("c1").exit_status, 0);
    EXPECT_FALSE(has(runtime.on_host("nft list ruleset"), "8080")) << version;
    EXPECT_EQ(runtime.on_host("ip -br link show type ifb"), "");
    EXPECT_EQ(list.del("c1").output, "");
  }
}

TEST_F(cni_runtime_cases, T069_a_single_configuration_is_a_list_of_one) {
  for (const auto &version : kVersions) {
    auto config = at(version, runtime.usual());
    NetworkList list(runtime, config);
    ASSERT_EQ(list.add("c1").exit_status, 0);
    EXPECT_EQ(list.del("c1").output, "");
    expect_clean();
  }
}

TEST_F(cni_runtime_cases, a_list_that_fails_in_the_middle_leaves_nothing) {
  for (const auto &version : kVersions) {
    auto broken = chain(version);
    broken.replace(broken.find("\"mtu\":1400"), 10, "\"mtu\":\"x\"");
    NetworkList list(runtime, broken, kPorts);
    EXPECT_EQ(list.add("c1").exit_status, 1) << version;
    expect_clean();
  }
}

} // namespace
} // namespace sluice::integration
