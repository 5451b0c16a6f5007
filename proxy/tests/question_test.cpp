#include "proxy/question.hpp"
#include "proxy/tests/world.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using test::ip;

TEST(proxy_question, places_are_addresses_pods_and_nodes) {
  using Kind = Place::Kind;
  const struct {
    const char *text;
    Kind kind;
    const char *namespace_, *name;
  } kCases[] = {
      {"10.0.0.1", Kind::address, "", ""},      {"2001:db8::1", Kind::address, "", ""},
      {"node", Kind::this_node, "", ""},        {"node/n2", Kind::node, "", "n2"},
      {"web-1", Kind::pod, "default", "web-1"}, {"shop/web-1", Kind::pod, "shop", "web-1"},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.text);
    const auto place = parse_place(c.text);
    ASSERT_TRUE(place) << place.error().what();
    EXPECT_EQ(place->kind, c.kind);
    EXPECT_EQ(place->address.has_value(), c.kind == Kind::address);
    EXPECT_EQ(place->namespace_, c.namespace_);
    EXPECT_EQ(place->name, c.name);
  }
  for (const auto *bad : {"", "a b", "a/b/c", "/x", "x/", "10.0.0.0/8", "10.0.0.1:80"}) {
    const auto place = parse_place(bad);
    ASSERT_FALSE(place) << bad;
    EXPECT_NE(place.error().what().find("NAMESPACE/POD"), std::string::npos);
  }
}

TEST(proxy_question, targets_are_addresses_and_services_with_port_and_protocol) {
  const struct {
    const char *text, *address, *namespace_, *service, *port;
    std::optional<Protocol> protocol;
  } kCases[] = {
      {"10.96.0.10:53/UDP", "10.96.0.10", "", "", "53", Protocol::udp},
      {"10.96.0.10:53", "10.96.0.10", "", "", "53", {}},
      {"[2001:db8::1]:80/tcp", "2001:db8::1", "", "", "80", Protocol::tcp},
      {"web", "", "default", "web", "", {}},
      {"web:http", "", "default", "web", "http", {}},
      {"shop/web", "", "shop", "web", "", {}},
      {"shop/web:80/sctp", "", "shop", "web", "80", Protocol::sctp},
      {"shop/udp", "", "shop", "udp", "", {}},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.text);
    const auto target = parse_target(c.text);
    ASSERT_TRUE(target) << target.error().what();
    EXPECT_EQ(target->address ? target->address->str() : "", c.address);
    EXPECT_EQ(target->namespace_, c.namespace_);
    EXPECT_EQ(target->service, c.service);
    EXPECT_EQ(target->port, c.port);
    EXPECT_EQ(target->protocol, c.protocol);
  }
  for (const auto *bad : {"", "10.96.0.10", "2001:db8::1", "10.0.0.1:http", "10.0.0.1:0",
                          "web:80/ICMP", "a/b/c", ":80", "we b:80", "2001:db8::zz", "node:0"})
    EXPECT_FALSE(parse_target(bad)) << bad;
}

class Question : public ::testing::Test {
protected:
  void SetUp() override {
    auto service = test::service_s();
    service.ports.push_back({"dns", Protocol::udp, 53, 0, {}, ""});
    model_.set_node(test::node_n1(), "zone-a");
    model_.update(service);
    model_.update(test::slice_of(service, "L R"));
    auto one = test::service_s();
    one.metadata.name = "one";
    one.clusterIPs = {"172.30.0.42"};
    model_.update(one);
    model_.sync();
    lookups_.pod = [](const kube::ObjectKey &key) -> Result<std::vector<IpAddress>> {
      if (key.name == "gone")
        return fail(Errc::not_found, "no such pod");
      if (key.name == "six")
        return std::vector{ip("2001:db8::7")};
      return std::vector{ip(key.name == "host" ? "192.168.0.2" : "10.0.0.2")};
    };
    lookups_.node = [](const std::string &) -> Result<std::vector<IpAddress>> {
      return std::vector{ip("192.168.5.5")};
    };
    lookups_.is_ours = [](const IpAddress &address) { return address == ip("192.168.0.2"); };
    lookups_.interface_of = [](const IpAddress &) { return std::string("cni0"); };
  }

  /// "SOURCE DESTINATION:PORT/PROTOCOL" or the error.
  std::string ask(const char *from, const char *to) {
    const auto flow = [&]() -> Result<Flow> {
      SLUICE_ASSIGN(const auto place, parse_place(from), "ask");
      SLUICE_ASSIGN(const auto target, parse_target(to), "ask");
      SLUICE_ASSIGN(const auto origin, find_origin(place, lookups_), "ask");
      return find_flow(origin, target, {&model_});
    }();
    if (!flow)
      return flow.error().what();
    return flow->source.str() + " " + flow->destination.str() + ":" +
           std::to_string(flow->destinationPort.value) + "/" + std::string(name_of(flow->protocol));
  }

  Model model_{Family::ipv4, "n1"};
  Lookups lookups_;
};

TEST_F(Question, names_become_addresses) {
  const struct {
    const char *from, *to, *flow;
  } kCases[] = {
      {"203.0.113.2", "172.30.0.41:80", "203.0.113.2 172.30.0.41:80/TCP"},
      {"web", "ns1/svc1:p80", "10.0.0.2 172.30.0.41:80/TCP"},
      {"web", "ns1/svc1:53", "10.0.0.2 172.30.0.41:53/UDP"},
      {"web", "ns1/one", "10.0.0.2 172.30.0.42:80/TCP"},
      {"node", "ns1/one", "192.168.0.2 172.30.0.42:80/TCP"},
      {"shop/host", "ns1/one", "192.168.0.2 172.30.0.42:80/TCP"},
      {"node/n2", "8.8.8.8:53/UDP", "192.168.5.5 8.8.8.8:53/UDP"},
      {"203.0.113.2", "node:30080/UDP", "203.0.113.2 192.168.0.2:30080/UDP"},
  };
  for (const auto &c : kCases)
    EXPECT_EQ(ask(c.from, c.to), c.flow) << c.from << " " << c.to;
}

TEST_F(Question, what_cannot_be_found_is_told_with_what_there_is) {
  const struct {
    const char *from, *to, *says;
  } kCases[] = {
      {"gone", "ns1/one", "FROM pod \"default/gone\": no such pod"},
      {"web", "ns1/svc1", "has several ports, name one: p80 80/TCP, dns 53/UDP"},
      {"web", "ns1/svc1:443", "has no port \"443\"; it has p80 80/TCP"},
      {"web", "ns1/svc1:80/UDP", "has no port \"80\""},
      {"web", "nowhere/svc", "no Service \"nowhere/svc\" with a clusterIP"},
      {"six", "ns1/one", "no clusterIP of the family of pod"},
      {"web", "[2001:db8::1]:80", "this node has no IPv6"},
      {"six", "172.30.0.41:80", "has no IPv4 address"},
      {"six", "node:30080", "no address that takes nodePorts from pod"},
  };
  for (const auto &c : kCases)
    EXPECT_NE(ask(c.from, c.to).find(c.says), std::string::npos) << ask(c.from, c.to);
}

} // namespace
} // namespace sluice::proxy
