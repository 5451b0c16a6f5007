#include "cni/policy_agent.hpp"
#include "cni/tests/stub_agent.hpp"
#include "ipam/tests/temp_folder.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

NetworkConfig config_of(const std::string &members) {
  return parse_config(R"({"cniVersion":"1.0.0","name":"net","type":"sluice")" + members + "}",
                      Strictness::strict)
      .value();
}

TEST(cni_policy, the_key_has_three_values) {
  struct Case {
    const char *name, *members;
    std::optional<PolicyMode> mode;
    int line;
  };
  const Case cases[] = {
      {"absent", "", PolicyMode::none, __LINE__},
      {"none", R"(,"policy":"none")", PolicyMode::none, __LINE__},
      {"wait", R"(,"policy":"wait")", PolicyMode::wait, __LINE__},
      {"require", R"(,"policy":"require")", PolicyMode::require, __LINE__},
      {"another", R"(,"policy":"maybe")", std::nullopt, __LINE__},
      {"another type", R"(,"policy":true)", std::nullopt, __LINE__},
      {"no path", R"(,"policy":"wait","policySocket":"")", std::nullopt, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto config = parse_policy_config(config_of(c.members));
    ASSERT_EQ(config.has_value(), c.mode.has_value());
    if (config) {
      EXPECT_EQ(config->mode, *c.mode);
    } else {
      EXPECT_TRUE(config.error().is(Code::invalid_config));
    }
  }
  const auto long_path = R"(,"policySocket":"/)" + std::string(107, 'x') + "\"";
  EXPECT_FALSE(parse_policy_config(config_of(long_path)));
}

TEST(cni_policy, the_lines_say_who_the_pod_is) {
  Request request;
  request.environment.attachment = {"c1", "eth0"};
  request.environment.netns = "/run/netns/x";
  request.environment.args =
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1";
  AddResult result;
  for (const auto *ip : {"10.1.0.5/24", "fd00::5/64"})
    result.ips.push_back({InterfaceAddress::parse(ip).value(), std::nullopt, std::nullopt});
  const std::string who =
      R"("containerID":"c1","ifname":"eth0","netns":"/run/netns/x","namespace":"shop","pod":"web-0","uid":"u-1")";
  EXPECT_EQ(pod_added_line(request, result),
            R"({"verb":"pod-added",)" + who + R"(,"ips":["10.1.0.5","fd00::5"]})");
  EXPECT_EQ(pod_removed_line(request), R"({"verb":"pod-removed",)" + who + "}");
  request.environment.args = "=;";
  EXPECT_TRUE(contains(pod_removed_line(request), R"("namespace":"","pod":"","uid":"")"));
}

TEST(cni_policy, only_a_yes_in_time_is_a_yes) {
  struct Case {
    const char *name;
    std::optional<std::string> answer;
    const char *mentions; // "": a yes
    int line;
  };
  const Case cases[] = {
      {"yes", "{\"ok\":true}\n", "", __LINE__},
      {"no", "{\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"no rules yet\"}}\n",
       "no rules yet", __LINE__},
      {"no without a reason", "{\"ok\":false}\n", "it refused", __LINE__},
      {"no JSON", "yes\n", "it answered \"yes\"", __LINE__},
      {"another type", "{\"ok\":1}\n", "it answered", __LINE__},
      {"half a line", "{\"ok\":tr", "hung up", __LINE__},
      {"nothing", "", "hung up", __LINE__},
      {"silence", std::nullopt, "no answer in time", __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    TempFolder folder;
    StubAgent agent(folder.path() + "/s", c.answer);
    // Silence is waited for, a slow machine is not taken for it.
    const auto deadline = std::chrono::milliseconds(c.answer ? 10'000 : 50);
    const auto said = ask_policy_agent(folder.path() + "/s", "line", deadline);
    EXPECT_EQ(said.has_value(), *c.mentions == 0);
    if (!said) {
      EXPECT_TRUE(said.error().is(Code::try_again));
      EXPECT_TRUE(contains(said.error().message(), c.mentions)) << said.error().message();
    }
    EXPECT_EQ(agent.stop(), (std::vector<std::string>{"line\n"}));
  }
}

TEST(cni_policy, an_agent_that_is_not_there_is_named) {
  TempFolder folder;
  const auto path = folder.path() + "/none";
  const auto said = ask_policy_agent(path, "line");
  ASSERT_FALSE(said);
  EXPECT_TRUE(contains(said.error().message(), path)) << said.error().message();
  EXPECT_TRUE(policy_agent_status(path).error().is(Code::unavailable));
  tell_policy_agent(path, "line"); // nobody hears it, nobody minds
}

} // namespace
} // namespace sluice::cni
