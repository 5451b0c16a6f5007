#include "cni/names.hpp"
#include "ipam/tests/temp_folder.hpp"
#include "kernel/fake/rtnl.hpp"
#include "node/leftovers.hpp"

#include <gtest/gtest.h>

namespace sluice::node {
namespace {

using std::chrono::minutes;

const cni::Attachment kPod{"c1", "eth0"};
IpAddress ip(const char *text) { return IpAddress::parse(text).value(); }

StoredAddress old_address() {
  return {.record = {ip("10.1.0.2"), kPod.container_id, kPod.ifname}, .age = minutes(60)};
}

struct RuleCase {
  const char *name;
  bool leftover;
  std::function<void(StoredAddress &, HostLinks &)> change;
  int line;
};

const RuleCase kRules[] = {
    {"nothing is left of the pod but its record", true, [](auto &, auto &) {}, __LINE__},
    {"its ADD may still run", false, [](auto &address, auto &) { address.age = minutes(9); },
     __LINE__},
    {"the clock went back", false, [](auto &address, auto &) { address.age = minutes(-60); },
     __LINE__},
    {"its link is there", false,
     [](auto &, auto &links) { links.names.insert(cni::host_link_name("net", kPod)); }, __LINE__},
    {"its link was renamed", false,
     [](auto &, auto &links) { links.aliases.insert(cni::host_link_alias("net", kPod)); },
     __LINE__},
    {"a link of another network's pod of that name", true,
     [](auto &, auto &links) { links.names.insert(cni::host_link_name("other", kPod)); }, __LINE__},
    {"the runtime's file does not read", false,
     [](auto &address, auto &) { address.has_cache = true; }, __LINE__},
    {"another plugin's link of the pod is there", false,
     [](auto &address, auto &links) {
       address.has_cache = true;
       address.cached = CachedResult{{"vethf667b4d7"}, false};
       links.names.insert("vethf667b4d7");
     },
     __LINE__},
    {"the runtime remembers it, and the link is gone", true,
     [](auto &address, auto &) {
       address.has_cache = true;
       address.cached = CachedResult{{"vethf667b4d7"}, false};
     },
     __LINE__},
    {"its namespace is there", false,
     [](auto &address, auto &) {
       address.has_cache = true;
       address.cached = CachedResult{{}, true};
     },
     __LINE__},
    {"an interrupted write", false,
     [](auto &address, auto &) { address.record.container_id.clear(); }, __LINE__},
    {"a record of a very old version", false,
     [](auto &address, auto &) { address.record.ifname.clear(); }, __LINE__},
};

TEST(node_leftovers, an_address_is_given_back_only_if_everything_says_that_its_pod_is_gone) {
  for (const auto &c : kRules) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto address = old_address();
    HostLinks links;
    c.change(address, links);
    EXPECT_EQ(is_leftover("net", address, links), c.leftover);
  }
}

TEST(node_leftovers, a_cached_result_names_the_host_links_and_the_namespace) {
  const std::string text =
      R"({"kind":"cniCacheV1","containerId":"c1","ifName":"eth0","networkName":"net","result":
      {"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},{"name":"veth1"},{"name":"eth0","sandbox":"/run/netns/x"}]}})";
  const auto gone = parse_cached_result(text, [](const std::string &) { return false; });
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->host_links, std::vector<std::string>{"veth1"});
  EXPECT_FALSE(gone->namespace_exists);
  EXPECT_TRUE(parse_cached_result(text, [](const std::string &path) {
                return path == "/run/netns/x";
              })->namespace_exists);
  for (const auto *broken : {"", "{", "[]", "{}", R"({"result":7})", R"({"result":{}})",
                             R"({"result":{"interfaces":[7]}})"})
    EXPECT_FALSE(parse_cached_result(broken, [](const std::string &) { return false; })) << broken;
}

TEST(node_leftovers, old_records_without_a_pod_are_released_and_nothing_else) {
  TempFolder temp;
  const LeftoverPlaces places{"net", temp.path(), temp.path() + "/results"};
  kernel::fake::Rtnl rtnl;
  const auto now = std::filesystem::file_time_type::clock::now();
  EXPECT_EQ(release_leftovers(rtnl, places, now)->size(), 0U) << "there is no store yet";
  {
    auto store = ipam::Store::open(temp.path() + "/net");
    ASSERT_TRUE(store);
    ASSERT_TRUE(store->reserve(ip("10.1.0.2"), {"gone", "eth0"}));
    ASSERT_TRUE(store->reserve(ip("fd00::2"), {"gone", "eth0"}));
    ASSERT_TRUE(store->reserve(ip("10.1.0.3"), {"alive", "eth0"}));
  }
  ASSERT_TRUE(rtnl.apply(kernel::RtnlBatch().add(
      kernel::CreateBridge{.name = cni::host_link_name("net", {"alive", "eth0"})})));
  EXPECT_EQ(release_leftovers(rtnl, places, now)->size(), 0U) << "they are young";
  const auto released = release_leftovers(rtnl, places, now + minutes(11));
  ASSERT_TRUE(released);
  EXPECT_EQ(std::set<IpAddress>(released->begin(), released->end()),
            (std::set{ip("10.1.0.2"), ip("fd00::2")}));
  EXPECT_FALSE(std::filesystem::exists(temp.path() + "/net/10.1.0.2"));
  EXPECT_TRUE(std::filesystem::exists(temp.path() + "/net/10.1.0.3"));
  EXPECT_EQ(release_leftovers(rtnl, places, now + minutes(11))->size(), 0U);
}

} // namespace
} // namespace sluice::node
