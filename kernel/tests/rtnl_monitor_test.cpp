#include "kernel/netns.hpp"
#include "kernel/rtnl_monitor.hpp"

#include <gtest/gtest.h>
#include <poll.h>

namespace sluice::kernel {
namespace {

class kernel_rtnl_monitor : public testing::Test {
protected:
  void SetUp() override {
    auto made = NetNs::create();
    ASSERT_TRUE(made) << made.error().what();
    ns.emplace(std::move(*made));
    auto opened = ns->run([] { return RtnlSocket::open(); });
    auto listening = ns->run([] {
      return RtnlMonitor::open({RtnlGroup::links, RtnlGroup::addresses, RtnlGroup::routes});
    });
    ASSERT_TRUE(opened && listening);
    rtnl.emplace(std::move(*opened));
    monitor.emplace(std::move(*listening));
  }
  void apply(const RtnlBatch &batch) {
    const auto applied = rtnl->apply(batch);
    ASSERT_TRUE(applied) << applied.error().what();
  }
  /// Reads until an event satisfies `wanted`; false after 10 s.
  bool comes(const std::function<bool(const RtnlEvent &)> &wanted) {
    for (;;) {
      const auto events = monitor->read_events().value();
      if (std::any_of(events.begin(), events.end(), wanted))
        return true;
      pollfd readable{monitor->fd(), POLLIN, 0};
      if (::poll(&readable, 1, 10000) <= 0)
        return false;
    }
  }
  std::optional<NetNs> ns;
  std::optional<RtnlSocket> rtnl;
  std::optional<RtnlMonitor> monitor;
};

TEST_F(kernel_rtnl_monitor, links_addresses_and_routes_are_told) {
  EXPECT_TRUE(monitor->read_events()->empty()) << "nothing has happened yet";
  const Route route{.destination = Cidr::parse("10.1.0.0/16").value(),
                    .gateway = IpAddress::parse("192.0.2.2").value()};
  apply(
      RtnlBatch()
          .add(CreateBridge{.name = "br"})
          .add(AddAddress{.link = "br", .address = InterfaceAddress::parse("192.0.2.1/24").value()})
          .add(AddRoute{.route = route}));
  EXPECT_TRUE(comes([&](const RtnlEvent &event) {
    const auto *e = std::get_if<RouteEvent>(&event);
    return e && !e->removed && e->route.destination == route.destination &&
           e->route.protocol == kRouteProtocol;
  }));
  apply(RtnlBatch().add(DeleteRoute{.route = route}));
  EXPECT_TRUE(comes([&](const RtnlEvent &event) {
    const auto *e = std::get_if<RouteEvent>(&event);
    return e && e->removed && e->route.destination == route.destination;
  }));
  apply(RtnlBatch().add(DeleteLink{.link = "br"}));
  EXPECT_TRUE(comes([&](const RtnlEvent &event) {
    const auto *e = std::get_if<LinkEvent>(&event);
    return e && e->removed && e->link.name == "br";
  }));
}

TEST_F(kernel_rtnl_monitor, an_overrun_is_told) {
  apply(RtnlBatch().add(CreateBridge{.name = "br"}));
  RtnlBatch many;
  for (std::uint32_t i = 0; i < 10000; ++i)
    many.add(AddRoute{
        .route = {.destination = Cidr(IpAddress::from_v4(0x0a000000 + (i << 8)), 24), .type = 6}});
  apply(many);
  EXPECT_TRUE(
      comes([](const RtnlEvent &event) { return std::holds_alternative<EventsLost>(event); }));
}

} // namespace
} // namespace sluice::kernel
