#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>
#include <sstream>

namespace sluice::proxy::test {
namespace {

struct Named {
  const char *name, *address, *node;
};
constexpr Named kEndpoints[] = {
    {"L", "10.180.0.1", "n1"},  {"L2", "10.180.0.2", "n1"}, {"L3", "10.180.0.3", "n1"},
    {"L4", "10.180.0.4", "n1"}, {"R", "10.180.1.1", "n2"},  {"R2", "10.180.1.2", "n2"},
    {"H", "192.168.0.2", "n1"},
};

struct Place {
  const char *name, *address, *interface;
};
constexpr Place kPlaces[] = {
    {"P", "10.0.0.2", "cni0"},       {"Q", "10.180.1.9", "eth0"}, {"N", "192.168.0.2", ""},
    {"N2", "192.168.1.2", ""},       {"LO", "127.0.0.1", ""},     {"X", "203.0.113.2", "eth0"},
    {"XB", "203.0.113.130", "eth0"}, {"L", "10.180.0.1", "cni0"}, {"HLB", "1.2.3.4", ""},
    {"C", "172.30.0.41", ""},        {"LB", "1.2.3.4", ""},       {"LB2", "5.6.7.8", ""},
    {"E", "192.168.99.22", ""},      {"FREE", "172.30.0.50", ""},
};

const Place &place(const std::string &name) {
  for (const auto &candidate : kPlaces)
    if (candidate.name == name)
      return candidate;
  ADD_FAILURE() << "no place is called " << name;
  return kPlaces[0];
}

kube::EndpointConditions conditions_from(const std::string &word) {
  if (word == "st")
    return {false, true, true};
  if (word == "tn")
    return {false, false, true};
  if (word == "unready")
    return {false, false, false};
  return {true, true, false};
}

} // namespace

std::vector<kube::SliceEndpoint> endpoints_from(const std::string &text) {
  std::vector<kube::SliceEndpoint> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto name = word.substr(0, word.find('/'));
    for (const auto &known : kEndpoints)
      if (known.name == name) {
        kube::SliceEndpoint endpoint;
        endpoint.addresses = {known.address};
        endpoint.nodeName = known.node;
        endpoint.conditions =
            conditions_from(name.size() == word.size() ? "" : word.substr(name.size() + 1));
        out.push_back(std::move(endpoint));
      }
  }
  return out;
}

std::string endpoint_name(const IpAddress &address) {
  for (const auto &known : kEndpoints)
    if (known.address == address.str())
      return known.name;
  return address.str();
}

NodeInfo node_n1() {
  NodeInfo node;
  node.localDetector = {LocalDetector::Kind::cidr, {cidr("10.0.0.0/8")}, ""};
  node.anyNodePortAddress = true;
  node.serviceCidrs = {cidr("172.30.0.0/16")};
  node.nodeAddresses = {ip("192.168.0.2"), ip("192.168.1.2")};
  return node;
}

kube::Service service_s() {
  kube::Service service;
  service.metadata.namespace_ = "ns1";
  service.metadata.name = "svc1";
  service.type = kube::ServiceType::LoadBalancer;
  service.clusterIPs = {"172.30.0.41"};
  service.ipFamilies = {Family::ipv4};
  service.ports = {{"p80", Protocol::tcp, 80, 3001, {}, ""}};
  service.externalIPs = {"192.168.99.22"};
  service.loadBalancerIngress = {{"1.2.3.4", "", ""}};
  return service;
}

kube::EndpointSlice slice_of(const kube::Service &service, const std::string &endpoints) {
  kube::EndpointSlice slice;
  slice.metadata.namespace_ = service.metadata.namespace_;
  slice.metadata.name = service.metadata.name + "-abcde";
  slice.metadata.labels["kubernetes.io/service-name"] = service.metadata.name;
  slice.addressType = "IPv4";
  for (const auto &port : service.ports)
    slice.ports.push_back({port.name, port.protocol, port.port, ""});
  slice.endpoints = endpoints_from(endpoints);
  return slice;
}

Flow World::flow(const std::string &text) const {
  const auto arrow = text.find("->");
  const auto &from = place(text.substr(0, arrow));
  auto to = text.substr(arrow + 2);
  Flow flow;
  flow.source = ip(from.address);
  flow.inInterface = from.interface;
  flow.sourcePort = Port{40000};
  flow.destinationPort = Port{80};
  if (const auto slash = to.find('/'); slash != std::string::npos) {
    flow.protocol = parse_protocol(to.substr(slash + 1)).value();
    to.resize(slash);
  }
  if (const auto colon = to.find(':'); colon != std::string::npos) {
    const auto port = to.substr(colon + 1);
    flow.destinationPort = port == "NP" ? Port{3001} : parse_port(port).value();
    to.resize(colon);
  }
  flow.destination = to == "n1" ? ip("192.168.0.2") : ip(place(to).address);
  return flow;
}

Explanation World::explain(const std::string &flow_text) const {
  Model model(Family::ipv4, nodeName);
  model.set_node(node, zone);
  model.update(service);
  for (const auto &slice : slices)
    model.update(slice);
  model.sync();
  return model.explain(flow(flow_text));
}

std::string World::outcome(const std::string &flow_text) const {
  const auto got = explain(flow_text);
  if (got.verdict == "reject")
    return "REJECT";
  if (got.verdict == "drop")
    return "DROP";
  if (got.verdict == "none")
    return "none";
  std::string names;
  for (const auto &backend : got.backends)
    names += (names.empty() ? "" : ",") + endpoint_name(backend.address.ip);
  return "{" + names + "} " + (got.masquerade ? "M" : "nm");
}

} // namespace sluice::proxy::test
