#include "podlet/environment.hpp"

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::podlet;

namespace {

kube::Pod web() {
  kube::Pod pod;
  pod.metadata.name = "web-1";
  pod.metadata.namespace_ = "default";
  pod.metadata.uid = "u1";
  pod.metadata.labels = {{"app", "web"}};
  pod.serviceAccountName = "builder";
  return pod;
}

PodContext context() {
  PodContext context;
  context.node_name = "node1";
  context.api_host = "10.96.0.1";
  context.api_port = "443";
  context.path = "/bin";
  context.node_ips = {*IpAddress::parse("172.18.0.11")};
  context.pod_ips = {*IpAddress::parse("10.244.0.5"), *IpAddress::parse("fd00::5")};
  return context;
}

bool has(const std::vector<std::string> &environment, const std::string &entry) {
  return std::count(environment.begin(), environment.end(), entry) == 1;
}

} // namespace

TEST(podlet_environment, every_supported_field_has_its_value) {
  const std::pair<const char *, const char *> fields[] = {
      {"metadata.name", "web-1"},
      {"metadata.namespace", "default"},
      {"metadata.uid", "u1"},
      {"metadata.labels['app']", "web"},
      {"metadata.labels['none']", ""},
      {"spec.nodeName", "node1"},
      {"spec.serviceAccountName", "builder"},
      {"status.podIP", "10.244.0.5"},
      {"status.podIPs", "10.244.0.5,fd00::5"},
      {"status.hostIP", "172.18.0.11"},
  };
  for (const auto &[path, value] : fields) {
    const auto got = field_value(web(), context(), path);
    ASSERT_TRUE(got) << path;
    EXPECT_EQ(*got, value) << path;
  }
  for (const char *bad : {"", "metadata.labels", "metadata.labels['", "status.phase"})
    EXPECT_FALSE(field_value(web(), context(), bad)) << bad;
}

TEST(podlet_environment, the_pods_own_variables_come_last_and_may_refer_to_earlier_ones) {
  kube::Container container;
  container.env = {{"A", "1", ""},
                   {"B", "$(A)-$(NONE)-$$(A)", ""},
                   {"A", "2", ""},
                   {"POD_NAME", "", "metadata.name"}};
  const auto environment = environment_of(web(), container, context());
  ASSERT_TRUE(environment);
  EXPECT_TRUE(has(*environment, "A=2"));
  EXPECT_TRUE(has(*environment, "B=1-$(NONE)-$(A)"));
  EXPECT_TRUE(has(*environment, "POD_NAME=web-1"));
  EXPECT_TRUE(has(*environment, "PATH=/bin"));
  EXPECT_TRUE(has(*environment, "HOSTNAME=web-1"));
  EXPECT_TRUE(has(*environment, "KUBERNETES_SERVICE_HOST=10.96.0.1"));
  EXPECT_TRUE(has(*environment, "KUBERNETES_SERVICE_PORT=443"));
  container.env = {{"X", "", "status.nothing"}};
  EXPECT_FALSE(environment_of(web(), container, context()));
}

TEST(podlet_environment, the_command_line_is_command_and_args_with_variables_replaced) {
  kube::Container container;
  container.name = "main";
  container.command = {"serve", "--port=$(PORT)"};
  container.args = {"$$(PORT)", "$(NONE)", "$"};
  const auto argv = argv_of(container, {"PORT=80"});
  ASSERT_TRUE(argv);
  EXPECT_EQ(*argv, (std::vector<std::string>{"serve", "--port=80", "$(PORT)", "$(NONE)", "$"}));
  container.command.clear();
  const auto none = argv_of(container, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::invalid_input);
}

TEST(podlet_environment, a_host_name_fits_into_63_characters) {
  auto pod = web();
  EXPECT_EQ(hostname_of(pod, "node1"), "web-1");
  pod.metadata.name = std::string(62, 'a') + "-b";
  EXPECT_EQ(hostname_of(pod, "node1"), std::string(62, 'a'));
  pod.hostname = "special";
  EXPECT_EQ(hostname_of(pod, "node1"), "special");
  pod.hostNetwork = true;
  EXPECT_EQ(hostname_of(pod, "node1"), "node1");
}
