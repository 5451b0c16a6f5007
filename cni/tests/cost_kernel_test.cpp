// What one ADD asks of the kernel, counted by strace(1): the sum that its speed comes from.
#include "cni/tests/driver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

class cni_cost : public testing::Test {
protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "a sanitizer makes system calls of its own";
#endif
    if (::access("/usr/bin/strace", X_OK) != 0)
      GTEST_SKIP() << "strace is not installed";
  }
  /// The lines of strace, one a call, of the second of two pods: the bridge is there.
  std::vector<std::string> trace_add(const std::string &config) {
    EXPECT_EQ(driver.call(Command::add, "first", config).exit_status, 0);
    const auto log = driver.folder().path() + "/strace.log";
    const auto script = driver.folder().path() + "/traced";
    write_file(script, "#!/bin/sh\nexec strace -f -qq -o " + log + " " SLUICE_BIN_DIR "/sluice\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    const auto run = driver.call(Command::add, "second", config, {}, script);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    std::vector<std::string> lines;
    std::ifstream in(log);
    for (std::string line; std::getline(in, line);)
      if (line.find('(') != std::string::npos)
        lines.push_back(line);
    return lines;
  }
  static std::size_t count(const std::vector<std::string> &lines,
                           std::initializer_list<const char *> calls) {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [&](const std::string &line) {
          return std::any_of(calls.begin(), calls.end(), [&](const char *call) {
            return line.find(std::string(" ") + call + "(") != std::string::npos;
          });
        }));
  }
  static std::string listed(const std::vector<std::string> &lines) {
    std::string text;
    for (const auto &line : lines)
      text += line.substr(0, 120) + "\n";
    return text;
  }
  Driver driver;
};

TEST_F(cni_cost, an_add_makes_at_most_80_system_calls_4_netlink_sends_and_no_child) {
  const auto lines =
      trace_add(driver.config(R"("isDefaultGateway":true,"hairpinMode":true,"ipMasq":true,)",
                              R"("type":"sluice-ipam","subnet":"10.77.0.0/24")"));
  EXPECT_LE(lines.size(), 80U) << listed(lines);
  EXPECT_LE(count(lines, {"sendto", "sendmsg"}), 4U) << listed(lines);
  EXPECT_EQ(count(lines, {"clone", "clone3", "fork", "vfork"}), 0U);
  EXPECT_EQ(count(lines, {"execve"}), 1U) << "its own";
}

TEST_F(cni_cost, a_second_family_costs_thirty_system_calls_and_no_send) {
  const auto lines = trace_add(driver.usual());
  EXPECT_LE(lines.size(), 104U) << listed(lines);
  EXPECT_LE(count(lines, {"sendto", "sendmsg"}), 4U) << listed(lines);
}

} // namespace
} // namespace sluice::cni
