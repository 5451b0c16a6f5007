// The drop-in `flannel`, with the bridge plugin in its own process and by exec.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

class cni_flannel : public testing::Test {
protected:
  void SetUp() override {
    driver.program("bridge");
    driver.program("host-local");
    write_file(subnet_file(), "FLANNEL_NETWORK=10.77.0.0/16\nFLANNEL_SUBNET=10.77.3.1/24\n"
                              "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  }
  std::string subnet_file() const { return driver.folder().path() + "/subnet.env"; }
  std::string folder() const { return driver.folder().path() + "/flannel"; }
  std::string config(const std::string &delegate = R"("hairpinMode":true)",
                     const std::string &version = "1.1.0") const {
    return R"({"cniVersion":")" + version + R"(","name":"net","type":"flannel","subnetFile":")" +
           subnet_file() + R"(","dataDir":")" + folder() + R"(","delegate":{)" + delegate +
           R"(},"ipam":{"dataDir":")" + driver.folder().path() + "\"}}";
  }
  PluginRun call(Command command, const std::string &id, const std::string &text,
                 const std::string &path = {}) {
    return driver.call(command, id, text,
                       {{"CNI_PATH", path.empty() ? driver.folder().path() + "/bin" : path}}, ours);
  }
  void expect_clean() {
    EXPECT_EQ(driver.on_host("ip -br link show type veth"), "");
    EXPECT_EQ(driver.reserved(), "");
    EXPECT_EQ(listing(folder()), "");
  }
  Driver driver;
  const std::string ours = driver.program("flannel");
};

TEST_F(cni_flannel, a_pod_gets_the_nodes_subnet_and_routes_to_the_cluster) {
  const auto run = call(Command::add, "c1", config());
  ASSERT_EQ(run.exit_status, 0) << run.output;
  EXPECT_NE(driver.in_pod("c1", "ip -o addr show eth0").find("10.77.3.2/24"), std::string::npos);
  EXPECT_NE(driver.in_pod("c1", "ip route").find("10.77.0.0/16 via 10.77.3.1 dev eth0"),
            std::string::npos);
  EXPECT_NE(driver.in_pod("c1", "ip link show eth0").find("mtu 1450"), std::string::npos);
  EXPECT_NE(driver.on_host("ip -d link").find("hairpin on"), std::string::npos);
  EXPECT_EQ(listing(folder()), "c1");
  EXPECT_EQ(call(Command::check, "c1", with_previous(config(), run.output)).output, "");
  EXPECT_EQ(call(Command::del, "c1", config()).output, "");
  expect_clean();
  EXPECT_EQ(call(Command::del, "c1", config()).output, "");
}

TEST_F(cni_flannel, del_goes_by_what_add_kept_and_needs_no_flanneld) {
  ASSERT_EQ(call(Command::add, "c1", config()).exit_status, 0);
  std::filesystem::remove(subnet_file());
  EXPECT_NE(call(Command::check, "c2", with_previous(config(), "{}")).output.find("\"code\":102"),
            std::string::npos);
  EXPECT_EQ(call(Command::del, "c1", config(R"("type":"no-such-plugin")")).output, "");
  expect_clean();
}

TEST_F(cni_flannel, a_kept_file_that_was_cut_off_does_not_keep_the_pod) {
  ASSERT_EQ(call(Command::add, "c1", config()).exit_status, 0);
  write_file(folder() + "/c1", "{\"name\":\"ne");
  EXPECT_EQ(call(Command::del, "c1", config()).output, "");
  expect_clean();
}

TEST_F(cni_flannel, a_failed_add_leaves_nothing) {
  const auto unknown = call(Command::add, "c1", config(R"("type":"no-such-plugin")"));
  EXPECT_NE(unknown.output.find("\"code\":7,"), std::string::npos) << unknown.output;
  expect_clean();
  driver.in_pod("c1", "ip link add eth0 type veth peer name other");
  EXPECT_EQ(call(Command::add, "c1", config()).exit_status, 1);
  expect_clean();
}

TEST_F(cni_flannel, status_waits_for_flanneld) {
  EXPECT_EQ(call(Command::status, "c1", config()).output, "");
  std::filesystem::remove(subnet_file());
  EXPECT_NE(call(Command::status, "c1", config()).output.find("\"code\":50"), std::string::npos);
  EXPECT_NE(call(Command::add, "c1", config()).output.find("\"code\":11"), std::string::npos);
}

TEST_F(cni_flannel, gc_removes_the_pods_that_are_gone) {
  ASSERT_EQ(call(Command::add, "c1", config()).exit_status, 0);
  ASSERT_EQ(call(Command::add, "c2", config()).exit_status, 0);
  write_file(folder() + "/other", R"({"cniVersion":"1.0.0","name":"another-net"})");
  auto text = config();
  text.insert(text.size() - 1,
              R"(,"cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}])");
  EXPECT_EQ(call(Command::gc, "c1", text).output, "");
  EXPECT_EQ(listing(folder()), "c2 other");
  EXPECT_EQ(driver.reserved(), "10.77.3.3");
}

TEST_F(cni_flannel, a_delegate_that_is_another_program_is_run_and_each_removes_the_others_pod) {
  if (::access("/usr/lib/cni/bridge", X_OK) != 0)
    GTEST_SKIP() << "/usr/lib/cni/bridge is not installed (Debian package "
                    "containernetworking-plugins)";
  const auto text = config(R"("hairpinMode":true)", "1.0.0");
  const auto run = call(Command::add, "c1", text, "/usr/lib/cni");
  ASSERT_EQ(run.exit_status, 0) << run.output;
  EXPECT_NE(run.output.find("10.77.3.2/24"), std::string::npos) << run.output;
  ASSERT_EQ(call(Command::add, "c2", text).exit_status, 0);
  EXPECT_EQ(call(Command::del, "c1", text).output, "");
  EXPECT_EQ(call(Command::del, "c2", text, "/usr/lib/cni").output, "");
  expect_clean();
}

} // namespace
} // namespace sluice::cni
