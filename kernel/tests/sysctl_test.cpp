#include "kernel/sysctl.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::kernel {
namespace {

namespace fs = std::filesystem;

class kernel_sysctl : public testing::Test {
protected:
  void SetUp() override {
    root = fs::temp_directory_path() / ("slc-sysctl-" + std::to_string(::getpid()));
    fs::create_directories(root / "net/ipv4/conf/eth0.5");
    std::ofstream(root / "net/ipv4/ip_forward") << "0\n";
    std::ofstream(root / "net/ipv4/conf/eth0.5/forwarding") << "1\n";
  }
  void TearDown() override { fs::remove_all(root); }
  fs::path root;
};

TEST_F(kernel_sysctl, a_value_is_read_without_its_newline_and_written) {
  const Sysctl sysctl(root);
  EXPECT_EQ(sysctl.read("net/ipv4/ip_forward").value(), "0");
  EXPECT_TRUE(sysctl.write("net/ipv4/ip_forward", "1"));
  EXPECT_EQ(sysctl.read("net/ipv4/ip_forward").value().front(), '1');
  EXPECT_EQ(sysctl.read("net/ipv4/conf/eth0.5/forwarding").value(), "1");
}

TEST_F(kernel_sysctl, a_value_that_is_right_is_not_written) {
  const auto file = root / "net/ipv4/ip_forward";
  const auto before = fs::last_write_time(file) - std::chrono::hours(1);
  fs::last_write_time(file, before);
  EXPECT_TRUE(Sysctl(root).write("net/ipv4/ip_forward", "0"));
  EXPECT_EQ(fs::last_write_time(file), before);
}

TEST_F(kernel_sysctl, a_parameter_that_is_not_there_is_not_found) {
  const Sysctl sysctl(root);
  const auto read = sysctl.read("net/ipv6/conf/all/forwarding");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Errc::not_found);
  EXPECT_NE(read.error().what().find("net/ipv6/conf/all/forwarding"), std::string::npos);
  EXPECT_EQ(sysctl.write("net/ipv6/conf/all/forwarding", "1").error().code(), Errc::not_found);
  EXPECT_FALSE(fs::exists(root / "net/ipv6"));
}

} // namespace
} // namespace sluice::kernel
