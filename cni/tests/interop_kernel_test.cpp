// Beside Debian's containernetworking-plugins on one store: changing over in both directions.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

const std::string kTheirs = "/usr/lib/cni/host-local";

class cni_interop : public testing::Test {
protected:
  void SetUp() override {
    if (::access(kTheirs.c_str(), X_OK) != 0)
      GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  }
  /// Debian 12's plugins know 1.0.0.
  std::string with_version(std::string config) const {
    return config.replace(config.find("1.1.0"), 5, "1.0.0");
  }
  std::string ipam_config() const {
    return with_version(driver.config(
        "",
        R"("type":"host-local","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])"));
  }
  std::string first_ip(const PluginRun &run) const {
    EXPECT_EQ(run.exit_status, 0) << run.output;
    const auto result = parse_result(run.output, kLatestVersion);
    return result && !result->ips.empty() ? result->ips[0].address.str() : run.output;
  }
  Driver driver;
  const std::string ours = std::string(SLUICE_BIN_DIR) + "/sluice-ipam";
};

TEST_F(cni_interop, both_write_the_same_bytes_and_go_on_where_the_other_stopped) {
  EXPECT_EQ(first_ip(driver.call(Command::add, "c1", ipam_config(), {}, kTheirs)), "10.77.0.2/24");
  const auto their_record = file_content(driver.store() + "/10.77.0.2");
  EXPECT_EQ(first_ip(driver.call(Command::add, "c2", ipam_config(), {}, ours)), "10.77.0.3/24");
  EXPECT_EQ(file_content(driver.store() + "/10.77.0.3"), "c2\r\neth0");
  EXPECT_EQ(their_record, "c1\r\neth0");
  EXPECT_EQ(file_content(driver.store() + "/last_reserved_ip.0"), "10.77.0.3");
  EXPECT_EQ(first_ip(driver.call(Command::add, "c3", ipam_config(), {}, kTheirs)), "10.77.0.4/24");
  EXPECT_EQ(driver.reserved(), "10.77.0.2 10.77.0.3 10.77.0.4 fd77::2 fd77::3 fd77::4");
}

TEST_F(cni_interop, each_checks_and_releases_what_the_other_reserved) {
  driver.call(Command::add, "c1", ipam_config(), {}, kTheirs);
  driver.call(Command::add, "c2", ipam_config(), {}, ours);
  EXPECT_EQ(driver.call(Command::check, "c1", ipam_config(), {}, ours).output, "");
  EXPECT_EQ(driver.call(Command::check, "c2", ipam_config(), {}, kTheirs).exit_status, 0);
  EXPECT_NE(driver.call(Command::add, "c1", ipam_config(), {}, ours).exit_status, 0);
  EXPECT_NE(driver.call(Command::add, "c2", ipam_config(), {}, kTheirs).exit_status, 0);
  EXPECT_EQ(driver.call(Command::del, "c1", ipam_config(), {}, ours).exit_status, 0);
  EXPECT_EQ(driver.call(Command::del, "c2", ipam_config(), {}, kTheirs).exit_status, 0);
  EXPECT_EQ(driver.reserved(), "");
}

TEST_F(cni_interop, our_index_notices_all_that_the_other_does) {
  const auto config = ipam_config();
  const auto call = [&](Command command, const char *id, const std::string &program) {
    return driver.call(command, id, config, {}, program).exit_status;
  };
  EXPECT_EQ(call(Command::add, "c1", ours), 0);
  EXPECT_EQ(call(Command::add, "c2", ours), 0);
  EXPECT_EQ(call(Command::del, "c1", kTheirs), 0);
  EXPECT_EQ(driver.reserved(), "10.77.0.3 fd77::3");
  EXPECT_EQ(call(Command::add, "c1", ours), 0) << "it was released";
  EXPECT_EQ(call(Command::add, "c3", kTheirs), 0);
  EXPECT_NE(call(Command::add, "c3", ours), 0) << "it was reserved";
  EXPECT_EQ(driver.reserved(), "10.77.0.3 10.77.0.4 10.77.0.5 fd77::3 fd77::4 fd77::5");
  for (const auto *id : {"c3", "c2", "c1"})
    EXPECT_EQ(call(Command::del, id, ours), 0);
  EXPECT_EQ(driver.reserved(), "");
}

TEST_F(cni_interop, addresses_are_delegated_to_their_plugin_by_exec) {
  const auto config = with_version(driver.config(R"("isDefaultGateway":true,)",
                                                 R"("type":"host-local","subnet":"10.77.0.0/24")"));
  const auto run = driver.call(Command::add, "c1", config, {{"CNI_PATH", "/usr/lib/cni"}});
  EXPECT_EQ(first_ip(run), "10.77.0.2/24");
  EXPECT_EQ(driver
                .call(Command::check, "c1", with_previous(config, run.output),
                      {{"CNI_PATH", "/usr/lib/cni"}})
                .output,
            "");
  EXPECT_EQ(driver.call(Command::del, "c1", config, {{"CNI_PATH", "/usr/lib/cni"}}).output, "");
  EXPECT_EQ(driver.reserved(), "");
}

TEST_F(cni_interop, a_delegate_that_fails_is_passed_up_and_leaves_nothing) {
  const auto config =
      with_version(driver.config("", R"("type":"host-local","subnet":"10.77.0.5/24")"));
  const auto run = driver.call(Command::add, "c1", config, {{"CNI_PATH", "/usr/lib/cni"}});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_NE(run.output.find("host bits set"), std::string::npos) << run.output;
  EXPECT_EQ(driver.on_host("ip -br link show type veth"), "");
}

TEST_F(cni_interop, a_pod_of_their_bridge_plugin_is_removed_by_ours_and_the_other_way_round) {
  const auto config = with_version(driver.config(R"("isDefaultGateway":true,)",
                                                 R"("type":"host-local","subnet":"10.77.0.0/24")"));
  const Variables path = {{"CNI_PATH", "/usr/lib/cni"}};
  EXPECT_EQ(first_ip(driver.call(Command::add, "c1", config, path, "/usr/lib/cni/bridge")),
            "10.77.0.2/24");
  EXPECT_EQ(first_ip(driver.call(Command::add, "c2", config, path)), "10.77.0.3/24");
  EXPECT_EQ(driver.call(Command::del, "c1", config, path).output, "");
  EXPECT_EQ(driver.call(Command::del, "c2", config, path, "/usr/lib/cni/bridge").exit_status, 0);
  EXPECT_EQ(driver.on_host("ip -br link show type veth"), "");
  EXPECT_EQ(driver.reserved(), "");
}

} // namespace
} // namespace sluice::cni
