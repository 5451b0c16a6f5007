// The key `policy` from ADD to DEL, with an agent of the test's own.
#include "cni/tests/driver.hpp"
#include "cni/tests/stub_agent.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

const char *const kYes = "{\"ok\":true}\n";
const char *const kNo = "{\"ok\":false,\"error\":{\"message\":\"no rules yet\"}}\n";

class cni_policy_key : public testing::Test {
protected:
  std::string socket() const { return driver.folder().path() + "/netpol.sock"; }
  std::string config(const std::string &policy, const std::string &mode) const {
    return driver.config(R"("policy":")" + policy + R"(","policySocket":")" + socket() +
                             R"(","mode":")" + mode + "\",",
                         R"("type":"sluice-ipam","subnet":"10.77.0.0/24")");
  }
  void expect_clean() {
    EXPECT_FALSE(contains(driver.on_host("ip -br link"), "veth"));
    EXPECT_EQ(driver.reserved(), "");
  }
  Driver driver;
};

TEST_F(cni_policy_key, the_agent_hears_of_a_pod_that_comes_and_goes) {
  for (const auto *mode : {"bridge", "routed"}) {
    SCOPED_TRACE(mode);
    StubAgent agent(socket(), kYes);
    EXPECT_EQ(driver.call(Command::add, "c1", config("require", mode)).exit_status, 0);
    EXPECT_EQ(driver.call(Command::status, "", config("require", mode)).output, "");
    EXPECT_EQ(driver.call(Command::del, "c1", config("require", mode)).output, "");
    const auto heard = agent.stop();
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_TRUE(contains(heard[0], R"({"verb":"pod-added","containerID":"c1")")) << heard[0];
    EXPECT_TRUE(contains(heard[0], R"("namespace":"default","pod":"c1")")) << heard[0];
    EXPECT_TRUE(contains(heard[0], R"("ips":["10.77.0.)")) << heard[0];
    EXPECT_TRUE(contains(heard[1], R"({"verb":"pod-removed","containerID":"c1")")) << heard[1];
    driver.on_host("rm " + socket());
  }
}

TEST_F(cni_policy_key, require_fails_without_a_yes_and_leaves_nothing) {
  for (const auto *mode : {"bridge", "routed"}) {
    SCOPED_TRACE(mode);
    const auto absent = driver.call(Command::add, "c1", config("require", mode));
    EXPECT_TRUE(contains(absent.output, "\"code\":11,")) << absent.output;
    EXPECT_TRUE(contains(absent.output, "No such file")) << absent.output;
    expect_clean();
    const auto status = driver.call(Command::status, "", config("require", mode));
    EXPECT_TRUE(contains(status.output, "\"code\":50,")) << status.output;
  }
  StubAgent agent(socket(), kNo);
  const auto refused = driver.call(Command::add, "c1", config("require", "routed"));
  EXPECT_TRUE(contains(refused.output, "\"code\":11,")) << refused.output;
  EXPECT_TRUE(contains(refused.output, "no rules yet")) << refused.output;
  expect_clean();
  EXPECT_EQ(agent.stop().size(), 2U) << "the agent is told that the pod is no more";
}

TEST_F(cni_policy_key, wait_says_so_and_goes_on) {
  // The program's stderr goes to a file.
  const auto log = driver.folder().path() + "/log";
  const auto wrapper = driver.folder().path() + "/wrapper";
  driver.on_host("printf '#!/bin/sh\\nexec " + std::string(SLUICE_BIN_DIR) + "/sluice 2>" + log +
                 "\\n' >" + wrapper + "; chmod +x " + wrapper);
  struct Case {
    const char *name;
    bool there;
    std::optional<std::string> answer;
    const char *mentions;
    int line;
  };
  const Case cases[] = {
      {"nobody listens", false, std::nullopt, "No such file", __LINE__},
      {"no", true, kNo, "no rules yet", __LINE__},
      {"silence", true, std::nullopt, "no answer in time", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    std::optional<StubAgent> agent;
    if (c.there)
      agent.emplace(socket(), c.answer);
    const auto run = driver.call(Command::add, "c1", config("wait", "routed"), {}, wrapper);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    EXPECT_TRUE(contains(driver.on_host("cat " + log), c.mentions));
    EXPECT_EQ(driver.call(Command::del, "c1", config("wait", "routed")).output, "");
    expect_clean();
    agent.reset();
    driver.on_host("rm -f " + socket());
  }
}

TEST_F(cni_policy_key, a_value_that_there_is_not_is_refused_before_anything_is_done) {
  const auto run = driver.call(Command::add, "c1", config("maybe", "bridge"));
  EXPECT_TRUE(contains(run.output, "\"code\":7,")) << run.output;
  EXPECT_TRUE(contains(run.output, "policy is \\\"maybe\\\"")) << run.output;
  EXPECT_FALSE(contains(driver.on_host("ip -br link"), "cni0"));
}

} // namespace
} // namespace sluice::cni
