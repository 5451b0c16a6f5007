#pragma once
// A kernel in memory with an IPVS data plane on it, and tables that are short to write.

#include "kernel/ipvs/fake.hpp"
#include "kernel/nft/fake.hpp"
#include "proxy/ipvs/layout.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy::ipvs::tests {

inline IpAddress ip(const std::string &text) { return *IpAddress::parse(text); }
inline SocketAddress at(const std::string &text) { return *SocketAddress::parse(text); }
inline Frontend frontend(const std::string &address, Protocol protocol = Protocol::tcp) {
  return {at(address).ip, at(address).port, protocol};
}

inline BackendSet backends(std::initializer_list<const char *> addresses, bool local = false) {
  BackendSet set;
  for (const auto *address : addresses)
    set.push_back({.address = at(address), .local = local});
  std::sort(set.begin(), set.end());
  return set;
}

/// A clusterIP with a local detector: only pods are not masqueraded.
inline FrontendInfo cluster_ip(std::uint32_t set, const std::string &name = "web") {
  const BackendSetId id(set);
  return {.kind = FrontendKind::cluster_ip,
          .service = {"default", name, ""},
          .from_pod = {id, false},
          .from_node = {id, true},
          .from_outside = {id, true}};
}

inline Table empty_table(Family family) {
  Table table;
  table.family = family;
  const bool v4 = family == Family::ipv4;
  table.node.localDetector = {.kind = LocalDetector::Kind::cidr,
                              .cidrs = {*Cidr::parse(v4 ? "10.244.0.0/24" : "fd00:10:244::/64")},
                              .interface = {}};
  table.node.serviceCidrs = {*Cidr::parse(v4 ? "10.96.0.0/16" : "fd00:10:96::/112")};
  table.node.nodeAddresses = {ip(v4 ? "192.0.2.1" : "2001:db8::1")};
  table.node.nodePortAddresses = table.node.nodeAddresses;
  return table;
}

class FakeEnvironment final : public Environment {
public:
  FakeEnvironment(std::shared_ptr<bool> prepared, std::shared_ptr<OpenConnections> open)
      : prepared_(std::move(prepared)), open_(std::move(open)) {}
  Result<> prepare() override {
    *prepared_ = true;
    return {};
  }
  Result<std::vector<std::string>> differences() override {
    return *prepared_ ? std::vector<std::string>{} : std::vector<std::string>{"not prepared"};
  }
  Result<OpenConnections> open_connections() override { return *open_; }
  Result<> remove() override {
    *prepared_ = false;
    return {};
  }

private:
  std::shared_ptr<bool> prepared_; // of the "kernel" that outlives this program
  std::shared_ptr<OpenConnections> open_;
};

struct World {
  std::shared_ptr<kernel::nft::fake::Ruleset> ruleset =
      std::make_shared<kernel::nft::fake::Ruleset>();
  std::shared_ptr<kernel::ipvs::fake::State> ipvs = std::make_shared<kernel::ipvs::fake::State>();
  std::shared_ptr<bool> prepared = std::make_shared<bool>(false);
  std::shared_ptr<OpenConnections> open = std::make_shared<OpenConnections>();
  FakeClock clock;
  Options options;
  Family family = Family::ipv4;
  kernel::nft::fake::Nft *nft = nullptr;        // of the last data plane
  kernel::ipvs::fake::Ipvs *virtuals = nullptr; // of the last data plane

  /// Each one is a program that was just started.
  std::unique_ptr<Dataplane> dataplane() {
    auto fake_nft = std::make_unique<kernel::nft::fake::Nft>(ruleset);
    auto fake_ipvs = std::make_unique<kernel::ipvs::fake::Ipvs>(ipvs);
    nft = fake_nft.get();
    virtuals = fake_ipvs.get();
    return make_dataplane(family, std::move(fake_nft), std::move(fake_ipvs),
                          std::make_unique<FakeEnvironment>(prepared, open), clock, options);
  }
  std::unique_ptr<Dataplane> started(const Table &table) {
    auto made = dataplane();
    const auto done = made->start(table);
    EXPECT_TRUE(done) << done.error().what();
    return made;
  }

  using Elements = std::map<kernel::nft::Value, kernel::nft::Element>;
  const Elements &elements(const std::string &set) const {
    return ruleset->tables.at({kernel::nft::table_family(family), options.table})
        .sets.at(set)
        .elements;
  }
  /// 0 if there is no such frontend, or nothing behind it.
  Mark mark_of(const Frontend &frontend, Source source = Source::pod) const {
    const auto &all = elements(kFrontends);
    const auto found = all.find(frontend_key(family, frontend));
    return found == all.end() ? 0 : marks_of(found->second.data)[static_cast<std::size_t>(source)];
  }
  /// "10.0.0.1:80 10.0.0.2:80*0": destinations, and weights that are not 1. "none" without service.
  std::string destinations(Mark mark) const {
    const auto found = ipvs->services.find(kernel::ipvs::MarkId{family, mark});
    if (found == ipvs->services.end())
      return "none";
    std::string text;
    for (const auto &[address, info] : found->second.destinations) {
      text += (text.empty() ? "" : " ") + address.str();
      if (info.destination.weight != 1)
        text += "*" + std::to_string(info.destination.weight);
    }
    return text;
  }
  void set_connections(Mark mark, const char *address, std::uint32_t active) {
    ipvs->services.at(kernel::ipvs::MarkId{family, mark}).destinations.at(at(address)).active =
        active;
  }
};

} // namespace sluice::proxy::ipvs::tests
