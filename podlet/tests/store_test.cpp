#include "podlet/cluster_access.hpp"
#include "podlet/sandbox.hpp"
#include "podlet/store.hpp"

#include "kernel/files.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::podlet;

namespace {

Record example() {
  const Time time{std::chrono::milliseconds(1795248000123)};
  Record record;
  record.namespace_ = "default";
  record.name = "web-1";
  record.uid = "u1";
  record.sandbox_id = "abc";
  record.netns = "/run/netns/cni-abc";
  record.cni_list = R"({"name": "net"})";
  record.cni_result = R"({"ips": []})";
  record.grace_seconds = 5;
  record.state.started = time;
  record.state.ips = {*IpAddress::parse("10.0.0.5"), *IpAddress::parse("fd00::5")};
  record.state.containers.resize(2);
  note_started(record.state.containers[0], 4711, 99, time, true);
  note_ended(record.state.containers[0], "Always", false, 3, 0, time);
  note_started(record.state.containers[0], 4712, 100, time, true);
  return record;
}

} // namespace

TEST(podlet_store, a_record_reads_back_as_it_was_written) {
  std::string folder = testing::TempDir() + "slc-store-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const Store store(folder + "/pods");
  ASSERT_TRUE(store.save(example()));
  ASSERT_TRUE(kernel::make_folders(store.folder_of("torn")));
  std::vector<std::string> broken;
  const auto records = store.load_all(broken);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0], example());
  EXPECT_EQ(broken, std::vector<std::string>{"torn"});
  EXPECT_TRUE(store.remove("u1"));
  EXPECT_TRUE(store.remove("u1")) << "gone is gone";
  EXPECT_TRUE(kernel::remove_tree(folder));
}

TEST(podlet_store, what_is_no_record_is_refused) {
  for (const char *bad : {"", "{}", "[]", R"({"namespace": 1})"})
    EXPECT_FALSE(parse_record(bad)) << bad;
}

TEST(podlet_sandbox, a_pod_finds_itself_in_its_hosts_file) {
  EXPECT_EQ(hosts_text("web-1", {*IpAddress::parse("10.0.0.5")}),
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
            "10.0.0.5\tweb-1\n");
}

TEST(podlet_cluster_access, a_token_is_renewed_after_four_fifths_of_its_life) {
  const Time issued{std::chrono::seconds(1000)};
  EXPECT_EQ(token_renewal(issued, issued + std::chrono::seconds(3600)),
            issued + std::chrono::seconds(2880));
}
