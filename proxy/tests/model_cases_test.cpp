// Case tables of the Service semantics. The numbers are those of the specification the model was
// written from (kube-proxy 1.36); "{L,R} nm" means: one of L and R, client address kept; M:
// masqueraded.

#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using test::slice_of;
using test::World;

struct Case {
  const char *number, *flow, *outcome;
  int line;
};

struct Scenario {
  const char *name;
  std::function<void(World &)> setup;
  std::vector<Case> cases;
};

void endpoints(World &world, const std::string &text) {
  world.slices = {slice_of(world.service, text)};
}

void check(const std::vector<Scenario> &scenarios) {
  for (const auto &scenario : scenarios) {
    World world;
    scenario.setup(world);
    for (const auto &c : scenario.cases) {
      SCOPED_TRACE(std::string(scenario.name) + ": " + c.number + " " + c.flow + " (line " +
                   std::to_string(c.line) + ")");
      EXPECT_EQ(world.outcome(c.flow), c.outcome);
    }
  }
}

constexpr auto kLocal = kube::TrafficPolicy::Local;

TEST(proxy_model, sources_and_destinations_with_both_policies_cluster) {
  check({{"base matrix",
          [](World &) {},
          {{"1.01", "P->C", "{L,R} nm", __LINE__},
           {"1.02", "P->n1:NP", "{L,R} M", __LINE__},
           {"1.03", "P->LB", "{L,R} M", __LINE__},
           {"1.04", "P->E", "{L,R} M", __LINE__},
           {"1.05", "N->C", "{L,R} M", __LINE__},
           {"1.06", "N->n1:NP", "{L,R} M", __LINE__},
           {"1.07", "N->LB", "{L,R} M", __LINE__},
           {"1.08", "X->C", "{L,R} M", __LINE__},
           {"1.09", "X->n1:NP", "{L,R} M", __LINE__},
           {"1.10", "X->LB", "{L,R} M", __LINE__},
           {"1.11", "X->E", "{L,R} M", __LINE__},
           {"1.12", "Q->n1:NP", "{L,R} M", __LINE__},
           {"1.16", "X->n1:80", "none", __LINE__}}}});
}

TEST(proxy_model, external_traffic_policy_local) {
  const auto local = [](World &world) { world.service.externalTrafficPolicy = kLocal; };
  check({{"L and R",
          local,
          {{"2.01", "P->C", "{L,R} nm", __LINE__},
           {"2.02", "P->n1:NP", "{L,R} nm", __LINE__},
           {"2.03", "P->LB", "{L,R} nm", __LINE__},
           {"2.04", "P->E", "{L,R} nm", __LINE__},
           {"2.05", "N->C", "{L,R} M", __LINE__},
           {"2.06", "N->n1:NP", "{L,R} M", __LINE__},
           {"2.07", "N->LB", "{L,R} M", __LINE__},
           {"2.08", "X->n1:NP", "{L} nm", __LINE__},
           {"2.09", "X->LB", "{L} nm", __LINE__},
           {"2.10", "X->E", "{L} nm", __LINE__},
           {"2.11", "X->C", "{L,R} M", __LINE__},
           {"2.17", "N2->LB", "{L,R} M", __LINE__}}},
         {"only R",
          [&](World &world) {
            local(world);
            endpoints(world, "R");
          },
          {{"2.12", "X->LB", "DROP", __LINE__},
           {"2.12", "X->E", "DROP", __LINE__},
           {"2.12", "X->n1:NP", "DROP", __LINE__},
           {"2.12", "P->LB", "{R} nm", __LINE__},
           {"2.12", "N->LB", "{R} M", __LINE__},
           {"2.12", "P->C", "{R} nm", __LINE__}}},
         {"no address of a load balancer yet",
          [&](World &world) {
            local(world);
            world.service.loadBalancerIngress.clear();
          },
          {{"2.18", "X->n1:NP", "{L} nm", __LINE__}}}});
}

TEST(proxy_model, internal_traffic_policy_local) {
  const auto local = [](World &world) { world.service.internalTrafficPolicy = kLocal; };
  const auto cluster_ip_only = [&](World &world) {
    local(world);
    world.service.type = kube::ServiceType::ClusterIP;
    world.service.ports[0].nodePort = 0;
    world.service.externalIPs.clear();
    world.service.loadBalancerIngress.clear();
  };
  check({{"L and R",
          local,
          {{"3.01", "P->C", "{L} nm", __LINE__},
           {"3.02", "N->C", "{L} M", __LINE__},
           {"3.03", "X->C", "{L} M", __LINE__},
           {"3.04", "P->n1:NP", "{L,R} M", __LINE__},
           {"3.05", "P->LB", "{L,R} M", __LINE__},
           {"3.06", "N->n1:NP", "{L,R} M", __LINE__},
           {"3.07", "X->LB", "{L,R} M", __LINE__}}},
         {"only R",
          [&](World &world) {
            local(world);
            endpoints(world, "R");
          },
          {{"3.08", "P->C", "DROP", __LINE__},
           {"3.08", "N->C", "DROP", __LINE__},
           {"3.08", "X->LB", "{R} M", __LINE__}}},
         {"an endpoint on the host network",
          [&](World &world) {
            local(world);
            endpoints(world, "H");
          },
          {{"3.09", "P->C", "{H} nm", __LINE__}}},
         {"ClusterIP, no slices",
          [&](World &world) {
            cluster_ip_only(world);
            world.slices.clear();
          },
          {{"3.11", "P->C", "REJECT", __LINE__}}},
         {"ClusterIP, only R",
          [&](World &world) {
            cluster_ip_only(world);
            endpoints(world, "R");
          },
          {{"3.12", "P->C", "DROP", __LINE__}}}});
}

TEST(proxy_model, local_detectors_and_masquerade_switches) {
  const auto no_detector = [](World &world) { world.node.localDetector = {}; };
  check({{"no detector",
          no_detector,
          {{"4.01", "N->C", "{L,R} nm", __LINE__}, {"4.01", "X->C", "{L,R} nm", __LINE__}}},
         {"no detector, external policy Local",
          [&](World &world) {
            no_detector(world);
            world.service.externalTrafficPolicy = kLocal;
          },
          {{"4.02", "P->n1:NP", "{L} nm", __LINE__},
           {"4.02", "P->LB", "{L} nm", __LINE__},
           {"4.02", "N->LB", "{L,R} M", __LINE__}}},
         {"masqueradeAll",
          [](World &world) { world.node.masqueradeAll = true; },
          {{"4.04", "P->C", "{L,R} M", __LINE__}}},
         {"masqueradeAll, no detector",
          [&](World &world) {
            no_detector(world);
            world.node.masqueradeAll = true;
          },
          {{"4.05", "P->C", "{L,R} M", __LINE__},
           {"4.05", "N->C", "{L,R} M", __LINE__},
           {"4.05", "X->C", "{L,R} M", __LINE__}}},
         {"NodeCIDR",
          [](World &world) { world.node.localDetector.cidrs = {test::cidr("10.0.0.0/24")}; },
          {{"4.07", "P->C", "{L,R} nm", __LINE__}, {"4.07", "Q->C", "{L,R} M", __LINE__}}},
         {"BridgeInterface",
          [](World &world) {
            world.node.localDetector = {LocalDetector::Kind::interface_name, {}, "cni0"};
          },
          {{"4.08", "P->C", "{L,R} nm", __LINE__},
           {"4.08", "Q->C", "{L,R} M", __LINE__},
           {"4.11", "N->C", "{L,R} M", __LINE__}}},
         {"InterfaceNamePrefix",
          [](World &world) {
            world.node.localDetector = {LocalDetector::Kind::interface_prefix, {}, "cn"};
          },
          {{"4.09", "P->C", "{L,R} nm", __LINE__}, {"4.09", "Q->C", "{L,R} M", __LINE__}}}});
}

TEST(proxy_model, without_endpoints_everything_is_rejected) {
  const std::vector<Case> rejected = {
      {"5.01", "P->C", "REJECT", __LINE__},     {"5.02", "N->C", "REJECT", __LINE__},
      {"5.03", "X->LB", "REJECT", __LINE__},    {"5.04", "X->E", "REJECT", __LINE__},
      {"5.05", "X->n1:NP", "REJECT", __LINE__}, {"5.06", "P->n1:NP", "REJECT", __LINE__},
      {"5.06", "P->LB", "REJECT", __LINE__}};
  check({{"no slices", [](World &world) { world.slices.clear(); }, rejected},
         {"5.15 a slice without endpoints", [](World &world) { endpoints(world, ""); }, rejected},
         {"5.16 all unready", [](World &world) { endpoints(world, "L/unready R/unready"); },
          rejected}});
}

TEST(proxy_model, terminating_endpoints_serve_when_no_ready_one_is_left) {
  const auto with = [](const char *text, std::function<void(kube::Service &)> change = {}) {
    return [=](World &world) {
      if (change)
        change(world.service);
      endpoints(world, text);
    };
  };
  const auto external = [](kube::Service &s) { s.externalTrafficPolicy = kLocal; };
  const auto internal = [](kube::Service &s) { s.internalTrafficPolicy = kLocal; };
  check(
      {{"6.01",
        with("L L2 R L3/st L4/tn"),
        {{"6.01", "P->C", "{L,L2,R} nm", __LINE__}, {"6.01", "X->LB", "{L,L2,R} M", __LINE__}}},
       {"6.02",
        with("L2/st L3/st R2/st L4/tn"),
        {{"6.02", "P->C", "{L2,L3,R2} nm", __LINE__}, {"6.02", "X->LB", "{L2,L3,R2} M", __LINE__}}},
       {"6.03",
        with("R2/st"),
        {{"6.03", "P->C", "{R2} nm", __LINE__}, {"6.03", "X->LB", "{R2} M", __LINE__}}},
       {"6.04",
        with("L4/tn"),
        {{"6.04", "P->C", "REJECT", __LINE__}, {"6.04", "X->LB", "REJECT", __LINE__}}},
       {"6.05",
        with("L L2 R L3/st L4/tn", external),
        {{"6.05", "P->C", "{L,L2,R} nm", __LINE__}, {"6.05", "X->LB", "{L,L2} nm", __LINE__}}},
       {"6.06",
        with("L2/st L3/st L4/tn R", external),
        {{"6.06", "P->C", "{R} nm", __LINE__}, {"6.06", "X->LB", "{L2,L3} nm", __LINE__}}},
       {"6.07",
        with("R2/st", external),
        {{"6.07", "P->C", "{R2} nm", __LINE__}, {"6.07", "X->LB", "DROP", __LINE__}}},
       {"6.08",
        with("L4/tn R2/tn", external),
        {{"6.08", "P->C", "REJECT", __LINE__}, {"6.08", "X->LB", "REJECT", __LINE__}}},
       {"6.09", with("L2/st R", internal), {{"6.09", "P->C", "{L2} nm", __LINE__}}},
       {"6.10", with("L2/tn R", internal), {{"6.10", "P->C", "DROP", __LINE__}}},
       {"6.11",
        with("L2/st R", external),
        {{"6.11", "X->n1:NP", "{L2} nm", __LINE__}, {"6.11", "P->n1:NP", "{R} nm", __LINE__}}},
       {"6.17 no conditions at all",
        [](World &world) {
          for (auto &endpoint : world.slices[0].endpoints)
            endpoint.conditions = {};
        },
        {{"6.17", "P->C", "{L,R} nm", __LINE__}}}});
}

TEST(proxy_model, load_balancer_source_ranges) {
  const auto ranges = [](World &world) {
    world.service.loadBalancerIngress = {{"1.2.3.4", "", ""}, {"5.6.7.8", "", "VIP"}};
    world.service.loadBalancerSourceRanges = {"192.168.0.0/24", " 203.0.113.0/25"};
    endpoints(world, "L");
  };
  check({{"two addresses",
          ranges,
          {{"8.01", "P->C", "{L} nm", __LINE__},
           {"8.01", "XB->C", "{L} M", __LINE__},
           {"8.02", "X->n1:NP", "{L} M", __LINE__},
           {"8.02", "XB->n1:NP", "{L} M", __LINE__},
           {"8.03", "X->LB", "{L} M", __LINE__},
           {"8.03", "X->LB2", "{L} M", __LINE__},
           {"8.04", "XB->LB", "DROP", __LINE__},
           {"8.04", "XB->LB2", "DROP", __LINE__},
           {"8.05", "P->LB", "DROP", __LINE__},
           {"8.06", "N->LB", "{L} M", __LINE__},
           {"8.07", "HLB->LB", "{L} M", __LINE__},
           {"8.12", "XB->E", "{L} M", __LINE__}}},
         {"external policy Local",
          [&](World &world) {
            ranges(world);
            world.service.externalTrafficPolicy = kLocal;
          },
          {{"8.14", "X->LB", "{L} nm", __LINE__},
           {"8.14", "XB->LB", "DROP", __LINE__},
           {"8.14", "P->LB", "DROP", __LINE__}}},
         {"8.11 leading zeros",
          [](World &world) {
            world.service.clusterIPs = {"172.30.0.041"};
            world.service.loadBalancerIngress = {{"1.2.3.004", "", ""}};
            world.service.externalIPs = {"192.168.099.022"};
            world.service.loadBalancerSourceRanges = {"203.000.113.000/025"};
            world.slices[0].endpoints[0].addresses = {"10.180.00.001"};
          },
          {{"8.11", "P->C", "{L,R} nm", __LINE__},
           {"8.11", "X->LB", "{L,R} M", __LINE__},
           {"8.11", "XB->LB", "DROP", __LINE__},
           {"8.11", "X->E", "{L,R} M", __LINE__}}},
         {"a /0 among the ranges means no filter",
          [](World &world) {
            world.service.loadBalancerSourceRanges = {"192.0.2.0/24", "0.0.0.0/0"};
          },
          {{"A.2", "XB->LB", "{L,R} M", __LINE__}}},
         {"ipMode Proxy",
          [](World &world) {
            world.service.loadBalancerIngress = {{"1.2.3.4", "", "Proxy"}};
          },
          {{"8.17", "X->LB", "none", __LINE__},
           {"8.17", "P->LB", "none", __LINE__},
           {"8.17", "P->C", "{L,R} nm", __LINE__},
           {"8.17", "X->n1:NP", "{L,R} M", __LINE__}}},
         {"a host name alone",
          [](World &world) {
            world.service.loadBalancerIngress = {{"", "lb.example", ""}};
          },
          {{"8.20", "X->LB", "none", __LINE__}, {"8.20", "P->C", "{L,R} nm", __LINE__}}},
         {"no nodePort",
          [](World &world) { world.service.ports[0].nodePort = 0; },
          {{"8.21", "X->LB", "{L,R} M", __LINE__}, {"8.21", "X->n1:NP", "none", __LINE__}}}});
}

TEST(proxy_model, objects_that_are_left_alone_or_taken_in_part) {
  check({{"10.01 headless",
          [](World &world) { world.service.clusterIPs = {"None"}; },
          {{"10.01", "P->C", "DROP", __LINE__}, {"10.01", "X->LB", "none", __LINE__}}},
         {"10.01 no address",
          [](World &world) { world.service.clusterIPs = {""}; },
          {{"10.01", "P->C", "DROP", __LINE__}}},
         {"10.02 ExternalName",
          [](World &world) { world.service.type = kube::ServiceType::ExternalName; },
          {{"10.02", "P->C", "DROP", __LINE__}, {"10.02", "X->n1:NP", "none", __LINE__}}},
         {"10.11 a slice port without a name",
          [](World &world) { world.slices[0].ports[0].name = std::nullopt; },
          {{"10.11", "P->C", "REJECT", __LINE__}}},
         {"10.10 an unnamed port",
          [](World &world) {
            world.service.ports[0].name = "";
            world.slices[0].ports[0].name = "";
          },
          {{"10.10", "P->C", "{L,R} nm", __LINE__}}},
         {"10.15 two slices",
          [](World &world) {
            endpoints(world, "L");
            auto second = slice_of(world.service, "L2 R");
            second.metadata.name = "svc1-second";
            world.slices.push_back(second);
          },
          {{"10.15", "P->C", "{L,L2,R} nm", __LINE__}}},
         {"10.18 a slice of another namespace",
          [](World &world) { world.slices[0].metadata.namespace_ = "ns2"; },
          {{"10.18", "P->C", "REJECT", __LINE__}}},
         {"10.18 a slice without the label",
          [](World &world) { world.slices[0].metadata.labels.clear(); },
          {{"10.18", "P->C", "REJECT", __LINE__}}},
         {"10.19 a slice of host names",
          [](World &world) { world.slices[0].addressType = "FQDN"; },
          {{"10.19", "P->C", "REJECT", __LINE__}}},
         {"10.20 only the first address of an endpoint",
          [](World &world) {
            endpoints(world, "L");
            world.slices[0].endpoints[0].addresses.push_back("10.180.1.1");
          },
          {{"10.20", "P->C", "{L} nm", __LINE__}}},
         {"10.21 an endpoint without addresses",
          [](World &world) { world.slices[0].endpoints[0].addresses.clear(); },
          {{"10.21", "P->C", "{R} nm", __LINE__}}},
         {"A.4 one address, ready in one slice and terminating in another",
          [](World &world) {
            endpoints(world, "L/st R");
            auto second = slice_of(world.service, "L");
            second.metadata.name = "svc1-second";
            world.slices.push_back(second);
          },
          {{"A.4", "P->C", "{L,R} nm", __LINE__}}}});
}

TEST(proxy_model, packets_that_match_no_service_port) {
  check({{"edges",
          [](World &) {},
          {{"14.01", "P->C:81", "REJECT", __LINE__},
           {"14.02", "P->C/UDP", "REJECT", __LINE__},
           {"14.03", "P->FREE", "DROP", __LINE__}}},
         {"node port addresses",
          [](World &world) {
            world.node.anyNodePortAddress = false;
            world.node.nodePortAddresses = {test::ip("192.168.0.2")};
          },
          {{"9.03", "X->N2:NP", "none", __LINE__},
           {"9.02", "X->n1:NP", "{L,R} M", __LINE__},
           {"9.12", "LO->LO:NP", "none", __LINE__}}}});
}

TEST(proxy_model, hairpin_is_told) {
  const auto got = World().explain("L->C");
  ASSERT_EQ(got.verdict, "translate");
  EXPECT_FALSE(got.masquerade);
  EXPECT_NE(got.reasons.back().find("hairpin"), std::string::npos) << got.reasons.back();
}

TEST(proxy_model, an_explanation_says_why_an_endpoint_is_left_out) {
  World world;
  endpoints(world, "L R2/unready L4/tn L3/st");
  const auto got = world.explain("P->C");
  const std::vector<std::string> wanted = {
      "left out: 10.180.0.3:80: terminating, and ready endpoints are left",
      "left out: 10.180.0.4:80: terminating and not serving any more",
      "left out: 10.180.1.2:80: not ready"};
  for (const auto &line : wanted)
    EXPECT_NE(std::find(got.reasons.begin(), got.reasons.end(), line), got.reasons.end()) << line;
}

} // namespace
} // namespace sluice::proxy
