#include "ipam/plugin.hpp"

#include "ipam/tests/temp_folder.hpp"

#include <gtest/gtest.h>

namespace sluice::ipam {
namespace {

/// Calls the plugin as its process would, with a store in a folder of its own.
class IpamPluginTest : public testing::Test {
protected:
  cni::Answer call(const char *command, const std::string &id, const std::string &members,
                   const char *version = "1.1.0") const {
    cni::Variables variables = {{"CNI_COMMAND", command},
                                {"CNI_CONTAINERID", id},
                                {"CNI_NETNS", "/run/netns/none"},
                                {"CNI_IFNAME", "eth0"}};
    const auto config =
        std::string(R"({"name":"net","cniVersion":")") + version + "\"," + members + "}";
    return cni::answer(IpamPlugin("sluice-ipam"), variables,
                       [&]() -> cni::Outcome<std::string> { return config; });
  }
  std::string ipam(const std::string &ranges) const {
    return R"("ipam":{"type":"sluice-ipam","dataDir":")" + temp_.path() + "\"," + ranges + "}";
  }
  std::string folder() const { return temp_.path() + "/net"; }
  /// All but the index, which is nobody's business but the store's.
  std::string files() const {
    auto names = listing(folder());
    return names.starts_with(kIndex) ? names.substr(kIndex.size()) : names;
  }
  const std::string kIndex = ".sluice-index ";
  TempFolder temp_;
};

const char *const kDual =
    R"("ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]],"routes":[{"dst":"0.0.0.0/0"}])";

TEST_F(IpamPluginTest, add_writes_a_record_of_each_set_and_del_removes_them) {
  const auto added = call("ADD", "c1", ipam(kDual));
  EXPECT_EQ(added.exit_status, 0);
  EXPECT_EQ(added.out,
            R"({"cniVersion":"1.1.0","ips":[{"address":"10.1.0.2/24","gateway":"10.1.0.1"},)"
            R"({"address":"fd00:1::2/64","gateway":"fd00:1::1"}],"routes":[{"dst":"0.0.0.0/0"}]})"
            "\n");
  EXPECT_EQ(files(), "10.1.0.2 fd00:1::2 last_reserved_ip.0 last_reserved_ip.1 lock");
  EXPECT_EQ(call("CHECK", "c1", ipam(kDual)).exit_status, 0);

  EXPECT_EQ(call("DEL", "c1", ipam(kDual)).exit_status, 0);
  EXPECT_EQ(files(), "last_reserved_ip.0 last_reserved_ip.1 lock");
  EXPECT_EQ(call("DEL", "c1", ipam(kDual)).exit_status, 0);
  const auto checked = call("CHECK", "c1", ipam(kDual));
  EXPECT_EQ(checked.exit_status, 1);
  EXPECT_NE(checked.out.find("\"code\":102"), std::string::npos);
  EXPECT_NE(call("ADD", "c1", ipam(kDual)).out.find("10.1.0.3/24"), std::string::npos);
}

TEST_F(IpamPluginTest, old_versions_have_their_form) {
  const auto added = call("ADD", "c1", ipam(R"("subnet":"10.1.0.0/24")"), "0.2.0");
  EXPECT_EQ(added.out,
            R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.2/24","gateway":"10.1.0.1"},"dns":{}})"
            "\n");
}

TEST_F(IpamPluginTest, a_second_add_is_refused_and_takes_nothing) {
  call("ADD", "c1", ipam(kDual));
  const auto second = call("ADD", "c1", ipam(kDual));
  EXPECT_NE(second.out.find("\"code\":101"), std::string::npos) << second.out;
  EXPECT_EQ(files(), "10.1.0.2 fd00:1::2 last_reserved_ip.0 last_reserved_ip.1 lock");
}

TEST_F(IpamPluginTest, a_full_pool_is_try_again_and_gives_nothing_of_the_other_set) {
  const auto tight = ipam(R"("ranges":[[{"subnet":"fd00:1::/64"}],[{"subnet":"10.1.0.0/30"}]])");
  call("ADD", "c1", tight);
  EXPECT_NE(call("STATUS", "", tight).out.find("\"code\":50"), std::string::npos);
  const auto full = call("ADD", "c2", tight);
  EXPECT_NE(full.out.find("\"code\":11"), std::string::npos) << full.out;
  EXPECT_NE(full.out.find("no IP addresses available in range set: 10.1.0.1-10.1.0.2"),
            std::string::npos)
      << full.out;
  EXPECT_EQ(files(), "10.1.0.2 fd00:1::2 last_reserved_ip.0 last_reserved_ip.1 lock");
  call("DEL", "c1", tight);
  EXPECT_EQ(call("STATUS", "", tight).exit_status, 0);
  EXPECT_EQ(call("ADD", "c2", tight).exit_status, 0);
}

TEST_F(IpamPluginTest, del_does_not_ask_whether_the_configuration_makes_sense) {
  call("ADD", "c1", ipam(kDual));
  EXPECT_EQ(call("DEL", "c1", ipam(R"("ranges":[[{"subnet":"nonsense"}]])")).exit_status, 0);
  EXPECT_EQ(files(), "last_reserved_ip.0 last_reserved_ip.1 lock");
}

TEST_F(IpamPluginTest, del_of_an_unknown_container_makes_no_folder) {
  EXPECT_EQ(call("DEL", "c1", ipam(kDual)).exit_status, 0);
  EXPECT_EQ(listing(temp_.path()), "");
}

TEST_F(IpamPluginTest, an_old_record_is_released_only_if_there_is_no_new_one) {
  std::filesystem::create_directory(folder());
  write_file(folder() + "/10.1.0.9", "c1");
  EXPECT_EQ(call("CHECK", "c1", ipam(kDual)).exit_status, 0);
  write_file(folder() + "/10.1.0.8", "c1\r\neth0");
  call("DEL", "c1", ipam(kDual));
  EXPECT_EQ(files(), "10.1.0.9 lock");
  call("DEL", "c1", ipam(kDual));
  EXPECT_EQ(files(), "lock");
}

TEST_F(IpamPluginTest, an_interrupted_write_is_reclaimed) {
  std::filesystem::create_directory(folder());
  write_file(folder() + "/10.1.0.2", "");
  EXPECT_NE(call("ADD", "c1", ipam(kDual)).out.find("10.1.0.2/24"), std::string::npos);
  EXPECT_EQ(file_content(folder() + "/10.1.0.2"), "c1\r\neth0");
}

TEST_F(IpamPluginTest, del_releases_what_the_record_says_and_not_what_the_index_says) {
  call("ADD", "c1", ipam(kDual));
  write_file(folder() + "/10.1.0.2", "c9\r\neth0"); // in place: the folder does not change
  EXPECT_EQ(call("DEL", "c1", ipam(kDual)).exit_status, 0);
  EXPECT_EQ(files(), "10.1.0.2 last_reserved_ip.0 last_reserved_ip.1 lock");
  EXPECT_NE(call("ADD", "c9", ipam(kDual)).out.find("holds 10.1.0.2 already"), std::string::npos);
}

TEST_F(IpamPluginTest, what_the_index_would_refuse_is_decided_by_the_records) {
  const auto tight = ipam(R"("subnet":"10.1.0.0/30")");
  call("ADD", "c1", tight);
  write_file(folder() + "/10.1.0.2", ""); // in place
  EXPECT_EQ(call("STATUS", "", tight).exit_status, 0);
  EXPECT_NE(call("ADD", "c2", tight).out.find("10.1.0.2/30"), std::string::npos);
  EXPECT_EQ(file_content(folder() + "/10.1.0.2"), "c2\r\neth0");
}

TEST_F(IpamPluginTest, garbage_collection_keeps_what_is_valid) {
  call("ADD", "c1", ipam(kDual));
  call("ADD", "c2", ipam(kDual));
  const auto before = files();
  EXPECT_EQ(call("GC", "", ipam(kDual)).exit_status, 0);
  EXPECT_EQ(files(), before) << "without a list nothing may go";
  const auto list = R"("cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}],)";
  EXPECT_EQ(call("GC", "", list + ipam(kDual)).exit_status, 0);
  EXPECT_EQ(files(), "10.1.0.3 fd00:1::3 last_reserved_ip.0 last_reserved_ip.1 lock");
  EXPECT_EQ(call("GC", "", R"("cni.dev/valid-attachments":null,)" + ipam(kDual)).exit_status, 0);
  EXPECT_EQ(files(), "last_reserved_ip.0 last_reserved_ip.1 lock");
}

TEST_F(IpamPluginTest, dns_comes_from_the_file_named_and_a_missing_one_reserves_nothing) {
  write_file(temp_.path() + "/resolv", "nameserver 192.0.2.53\n");
  const auto with = ipam(R"("subnet":"10.1.0.0/24","resolvConf":")" + temp_.path() + "/resolv\"");
  EXPECT_NE(call("ADD", "c1", with).out.find(R"("dns":{"nameservers":["192.0.2.53"]})"),
            std::string::npos);
  const auto missing = ipam(R"("subnet":"10.1.0.0/24","resolvConf":"/nonexistent")");
  EXPECT_NE(call("ADD", "c2", missing).out.find("\"code\":5"), std::string::npos);
  EXPECT_EQ(files(), "10.1.0.2 last_reserved_ip.0 lock");
}

} // namespace
} // namespace sluice::ipam
