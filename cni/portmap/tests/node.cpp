#include "cni/portmap/tests/node.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {

PortmapNode::PortmapNode() {
  const auto outside_ns = driver.netns_of("outside");
  driver.on_host("ip link add up0 type veth peer name eth0 netns " + outside_ns +
                 "; ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad; "
                 "ip link set up0 up");
  driver.in_pod("outside", "ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 "
                           "nodad; ip link set eth0 up");
}

std::string PortmapNode::config(const std::string &members, const std::string &mappings) const {
  return R"({"cniVersion":"1.0.0","name":"net","type":"portmap",)" + members +
         R"("runtimeConfig":{"portMappings":[)" + mappings + "]}}";
}

std::string PortmapNode::connect(const std::string &id) {
  auto text = driver.usual();
  text.replace(text.find("1.1.0"), 5, "1.0.0");
  const auto run = driver.call(Command::add, id, text);
  EXPECT_EQ(run.exit_status, 0) << run.output;
  return results_[id] = run.output;
}

PluginRun PortmapNode::call(Command command, const std::string &id, const std::string &config,
                            const std::string &program) {
  return driver.call(command, id, with_previous(config, results_[id]), {},
                     program.empty() ? driver.program("portmap") : program);
}

PluginRun PortmapNode::del(const std::string &id, const std::string &program) {
  return driver.call(Command::del, id, R"({"cniVersion":"1.0.0","name":"net","type":"portmap"})",
                     {{"CNI_NETNS", ""}}, program.empty() ? driver.program("portmap") : program);
}

IpAddress PortmapNode::ip_of(const std::string &id, Family family) const {
  const auto result = parse_result(results_.at(id), kLatestVersion);
  for (const auto &ip : result->ips)
    if (ip.address.ip.family() == family)
      return ip.address.ip;
  ADD_FAILURE() << "no " << name_of(family) << " address";
  return {};
}

} // namespace sluice::cni
