// Rounds of the agent on fakes: kernel, nf_tables, sysctls and files.
#include "kernel/fake/rtnl.hpp"
#include "kernel/nft/fake.hpp"
#include "node/agent.hpp"
#include "node/masquerade.hpp"
#include "node/routes.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace sluice::node {
namespace {

namespace fs = std::filesystem;

Cidr cidr(const char *text) { return Cidr::parse(text).value(); }
IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }

class node_agent : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("slc-node-" + std::to_string(::getpid()));
    fs::create_directories(folder / "sys/net/ipv4");
    std::ofstream(folder / "sys/net/ipv4/ip_forward") << "0\n";
    const auto made = rtnl.apply(
        kernel::RtnlBatch()
            .add(kernel::CreateBridge{.name = "uplink"})
            .add(kernel::CreateBridge{.name = "cni0"})
            .add(kernel::AddAddress{.link = "uplink",
                                    .address = InterfaceAddress::parse("192.0.2.1/24").value()}));
    ASSERT_TRUE(made) << made.error().what();
    cluster["self"] = {{cidr("10.244.0.0/24")}, {ip("192.0.2.1")}, {}};
    cluster["two"] = {{cidr("10.244.1.0/24")}, {ip("192.0.2.2")}, {}};
  }
  void TearDown() override { fs::remove_all(folder); }

  Agent agent() {
    return Agent(rtnl, nft, kernel::Sysctl(folder / "sys"), CniConfigFile(folder / "net.d"),
                 {.node_name = "self", .cluster_cidrs = {cidr("10.244.0.0/16")}});
  }
  Actions plan() {
    auto actions = agent().plan(cluster);
    EXPECT_TRUE(actions) << actions.error().what();
    return std::move(*actions);
  }
  std::vector<Error> round() { return agent().apply(plan()); }
  std::string config() {
    std::ifstream file(folder / "net.d/10-sluice.conflist");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<kernel::Route> our_routes() {
    auto routes = rtnl.read_routes(Family::ipv4).value();
    std::erase_if(routes, [](const kernel::Route &r) { return !is_ours(r); });
    return routes;
  }

  fs::path folder;
  kernel::fake::Rtnl rtnl;
  std::shared_ptr<kernel::nft::fake::Ruleset> ruleset =
      std::make_shared<kernel::nft::fake::Ruleset>();
  kernel::nft::fake::Nft nft{ruleset};
  Cluster cluster;
};

TEST_F(node_agent, one_round_brings_everything_and_the_next_finds_nothing_to_do) {
  EXPECT_TRUE(round().empty());
  ASSERT_EQ(our_routes().size(), 1U);
  EXPECT_EQ(our_routes()[0].destination, cidr("10.244.1.0/24"));
  EXPECT_EQ(our_routes()[0].gateway, ip("192.0.2.2"));
  EXPECT_EQ(kernel::Sysctl(folder / "sys").read("net/ipv4/ip_forward").value(), "1");
  EXPECT_TRUE(rtnl.read_link(kernel::LinkRef("cni0"))->netfilter);
  EXPECT_FALSE(rtnl.read_link(kernel::LinkRef("uplink"))->netfilter);
  EXPECT_EQ(ruleset->tables.at(masquerade_table()).sets.at("pods4").elements.size(), 2U);
  const auto again = plan();
  EXPECT_TRUE(again.empty()) << again.str();
}

TEST_F(node_agent, the_configuration_is_what_a_runtime_reads) {
  cluster["self"].pod_cidrs.push_back(cidr("2001:db8:a::/64"));
  (void)round();
  const auto list = nlohmann::json::parse(config());
  EXPECT_EQ(list["cniVersion"], "1.0.0");
  EXPECT_EQ(list["name"], "sluice");
  ASSERT_EQ(list["plugins"].size(), 1U);
  const auto &plugin = list["plugins"][0];
  EXPECT_EQ(plugin["type"], "sluice");
  EXPECT_EQ(plugin["bridge"], "cni0");
  EXPECT_EQ(plugin["isGateway"], true);
  EXPECT_FALSE(plugin.contains("mtu"));
  EXPECT_EQ(plugin["ipam"], nlohmann::json::parse(R"({
    "type": "sluice-ipam",
    "ranges": [[{"subnet": "10.244.0.0/24"}], [{"subnet": "2001:db8:a::/64"}]],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]})"));
  EXPECT_EQ(nlohmann::json::parse(cni_config_text({.mtu_bytes = 1450}, {}))["plugins"][0]["mtu"],
            1450);
}

TEST_F(node_agent, no_configuration_before_the_pod_network_is_known) {
  cluster["self"].pod_cidrs.clear();
  EXPECT_TRUE(round().empty());
  EXPECT_FALSE(fs::exists(folder / "net.d"));
  EXPECT_EQ(kernel::Sysctl(folder / "sys").read("net/ipv4/ip_forward").value(), "0");
}

TEST_F(node_agent, a_change_of_one_node_is_one_route_and_its_ranges) {
  (void)round();
  cluster["three"] = {{cidr("10.244.7.0/24")}, {ip("192.0.2.3")}, {}};
  auto actions = plan();
  EXPECT_EQ(actions.str(), "route add 10.244.7.0/24 via 192.0.2.3 proto 83\n")
      << "10.244.7.0/24 lies in the cluster's network already";
  EXPECT_TRUE(agent().apply(actions).empty());
  cluster["two"].internal_ips = {ip("192.0.2.22")};
  cluster.erase("three");
  actions = plan();
  EXPECT_EQ(actions.str(), "route replace 10.244.1.0/24 via 192.0.2.22 proto 83\n"
                           "route del 10.244.7.0/24 via 192.0.2.3 proto 83\n");
  EXPECT_TRUE(agent().apply(actions).empty());
  EXPECT_TRUE(plan().empty());
}

TEST_F(node_agent, a_route_of_somebody_else_stays) {
  const kernel::Route theirs{
      .destination = cidr("10.244.1.0/24"), .gateway = ip("192.0.2.99"), .protocol = 4};
  ASSERT_TRUE(rtnl.apply(kernel::RtnlBatch().add(kernel::AddRoute{.route = theirs})));
  const auto failures = round();
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].code(), Errc::already_exists);
  EXPECT_TRUE(our_routes().empty());
  EXPECT_TRUE(fs::exists(folder / "net.d/10-sluice.conflist")) << "the rest is done";
}

TEST_F(node_agent, a_table_that_was_changed_is_made_anew) {
  (void)round();
  auto &table = ruleset->tables.at(masquerade_table());
  table.chains.at("postrouting").rules.pop_back();
  EXPECT_TRUE(round().empty());
  EXPECT_EQ(ruleset->tables.at(masquerade_table()).chains.at("postrouting").rules.size(), 2U);
  ruleset->tables.at(masquerade_table()).sets.at("pods4").elements.clear();
  EXPECT_TRUE(round().empty());
  EXPECT_EQ(ruleset->tables.at(masquerade_table()).sets.at("pods4").elements.size(), 2U);
  EXPECT_TRUE(plan().empty());
}

TEST_F(node_agent, any_failure_is_made_good_by_the_next_round) {
  for (std::size_t op = 0; op < 3; ++op) {
    SCOPED_TRACE("operation " + std::to_string(op));
    rtnl.fail_operation(op, EBUSY);
    nft.fail_at_op(op);
    cluster["n" + std::to_string(op)] = {
        {Cidr(IpAddress::from_v4(0x0a000000 + static_cast<std::uint32_t>(op << 8)), 24)},
        {ip("192.0.2.50").advanced(static_cast<std::int64_t>(op))},
        {}};
    (void)round();
    (void)round();
    EXPECT_TRUE(round().empty());
    EXPECT_TRUE(plan().empty());
  }
}

TEST_F(node_agent, cleaning_up_leaves_what_is_not_ours) {
  const kernel::Route theirs{
      .destination = cidr("10.99.0.0/16"), .gateway = ip("192.0.2.99"), .protocol = 4};
  ASSERT_TRUE(rtnl.apply(kernel::RtnlBatch().add(kernel::AddRoute{.route = theirs})));
  ruleset->tables[{kernel::nft::TableFamily::inet, "other"}];
  (void)round();
  EXPECT_TRUE(agent().cleanup().empty());
  EXPECT_TRUE(our_routes().empty());
  EXPECT_EQ(rtnl.read_routes(Family::ipv4)->size(), 2U) << "theirs and the connected one";
  EXPECT_EQ(ruleset->tables.size(), 1U);
  EXPECT_EQ(config(), "");
  EXPECT_TRUE(agent().cleanup().empty()) << "cleaning twice is no error";
}

} // namespace
} // namespace sluice::node
