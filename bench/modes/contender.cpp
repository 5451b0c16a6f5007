#include "bench/modes/contender.hpp"

#include "kernel/nft/nft_socket.hpp"
#include "kernel/spawn.hpp"
#include "kernel/sysctl.hpp"
#include "proxy/iptables/dataplane.hpp"
#include "proxy/ipvs/dataplane.hpp"
#include "proxy/nftables/dataplane.hpp"

#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>

namespace sluice::bench {
namespace {

using namespace proxy;
using kernel::iptables::Flavour;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kEndpoints = 10, kFirstClusterIp = 0x0a600001, kFirstPod = 0x0a800000;
constexpr std::uint16_t kServerPort = 8001;
constexpr std::chrono::milliseconds kSlice{300};
const auto kServer = *IpAddress::parse("10.244.0.3");

/// The lines are commands of ip(8).
void configure(const kernel::NetNs &ns, const std::string &lines) {
  const auto output = must(kernel::run_program({.argv = {"ip", "-batch", "-"}, .netns_fd = ns.fd()},
                                               lines, std::chrono::seconds(60)));
  if (!output.status.success()) {
    std::fprintf(stderr, "modes: %s: %s\n", lines.c_str(), output.stderr_text.c_str());
    std::exit(1);
  }
}

Frontend frontend_of(std::uint32_t service) {
  return {IpAddress::from_v4(kFirstClusterIp + service), Port(80), Protocol::tcp};
}

BackendSetId set_of(std::uint32_t service) { return BackendSetId(service + 1); }

/// `moved` tells how often the last one was replaced. Those of the `real` Service are the server's
/// ports, one more than there are endpoints, so that it answers before and after.
BackendSet endpoints_of(std::uint32_t service, bool real, std::uint32_t moved = 0) {
  BackendSet set;
  for (std::uint32_t at = 0; at < kEndpoints; ++at) {
    const auto last = at + 1 == kEndpoints;
    const auto port = static_cast<std::uint16_t>(kServerPort + at + (last ? moved % 2 : 0));
    const auto pod =
        IpAddress::from_v4(kFirstPod + service * 16 + at + (last ? moved * 1000000 : 0));
    set.push_back(
        {real ? SocketAddress{kServer, Port(port)} : SocketAddress{pod, Port(8080)}, false, false});
  }
  std::sort(set.begin(), set.end());
  return set;
}

FrontendInfo info_of(std::uint32_t service) {
  FrontendInfo info{.service = {"bench", "s" + std::to_string(service), "web"}};
  info.from_pod = {set_of(service), false, WhenEmpty::reject};
  info.from_node = info.from_outside = {set_of(service), true, WhenEmpty::reject};
  return info;
}

/// The one that is connected to lies in the middle of the others.
std::uint32_t real_of(std::uint32_t services) { return services / 2; }

Table table_of(std::uint32_t services) {
  Table table;
  table.node.localDetector = {LocalDetector::Kind::cidr, {*Cidr::parse("10.244.0.0/24")}, ""};
  table.node.serviceCidrs = {*Cidr::parse("10.96.0.0/12")};
  for (std::uint32_t service = 0; service < services; ++service) {
    table.backendSets[set_of(service)] = endpoints_of(service, service == real_of(services));
    table.frontends[frontend_of(service)] = info_of(service);
  }
  return table;
}

double cpu_ms() {
  double sum = 0;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const auto &part : {usage.ru_utime, usage.ru_stime})
      sum += static_cast<double>(part.tv_sec) * 1e3 + static_cast<double>(part.tv_usec) / 1e3;
  }
  return sum;
}

/// Again, as long as another program has the lock of the tables.
template <class Fn> void insist(Fn fn) {
  auto done = fn();
  for (; !done && done.error().code() == Errc::busy; done = fn())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  must(std::move(done));
}

template <class Fn> Cost cost_of(Fn fn) {
  const auto cpu = cpu_ms();
  const auto begin = Clock::now();
  fn();
  return {std::chrono::duration<double, std::milli>(Clock::now() - begin).count(), cpu_ms() - cpu};
}

std::unique_ptr<kernel::nft::NftSocket> open_nft(const kernel::NetNs &ns) {
  return std::make_unique<kernel::nft::NftSocket>(
      must(ns.run([] { return kernel::nft::NftSocket::open(); })));
}

std::unique_ptr<Dataplane> open_nftables(const kernel::NetNs &ns) {
  return nftables::make_dataplane(Family::ipv4, open_nft(ns));
}

std::unique_ptr<Dataplane> open_ipvs(const kernel::NetNs &ns) {
  static const SteadyClock kClock;
  const ipvs::Options options;
  auto socket = must(ns.run([] { return kernel::ipvs::IpvsSocket::open(); }));
  return ipvs::make_dataplane(
      Family::ipv4, open_nft(ns), std::make_unique<kernel::ipvs::IpvsSocket>(std::move(socket)),
      ipvs::make_environment(Family::ipv4, {options.divertBit, options.ownCtBit}), kClock, options);
}

Open open_iptables(Flavour flavour) {
  return [flavour](const kernel::NetNs &ns) {
    return iptables::make_dataplane(
        Family::ipv4,
        must(kernel::iptables::open_tool(
            {.flavour = flavour, .netns_fd = ns.fd(), .deadline = std::chrono::minutes(10)})),
        iptables::options_for(flavour));
  };
}

} // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

std::vector<Mode> all_modes() {
  std::vector<Mode> modes{{"no rules", {}},
                          {"nftables", open_nftables},
                          {"iptables-legacy", open_iptables(Flavour::legacy)},
                          {"iptables-nft", open_iptables(Flavour::nft)}};
  if (kernel::ipvs::IpvsSocket::open())
    modes.push_back({"ipvs", open_ipvs});
  return modes;
}

World::World() {
  must(node.run([] { return kernel::Sysctl().write("net/ipv4/ip_forward", "1"); }));
  attach(client, "pod2", "10.244.0.2");
  attach(server, "pod3", kServer.str());
}

void World::attach(const kernel::NetNs &ns, const std::string &link,
                   const std::string &address) const {
  const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ns.fd());
  configure(node, "link add " + link + " type veth peer name eth0 netns " + path + "\nlink set " +
                      link + " up\naddr add 10.244.0.1/32 dev " + link + "\n");
  configure(ns, "link set eth0 up\naddr add " + address +
                    "/32 dev eth0\nroute add 10.244.0.1 dev eth0\n"
                    "route add default via 10.244.0.1\n");
  configure(node, "route add " + address + " dev " + link + "\n");
}

Contender::Contender(const Mode &mode, std::uint32_t services)
    : mode_(mode.name), services_(services),
      server_(world_.server, Port(kServerPort), static_cast<std::uint16_t>(kEndpoints + 1)) {
  if (!mode.open)
    return;
  dataplane_ = mode.open(world_.node);
  const auto table = table_of(services);
  first_sync_ = cost_of(
      [&] { insist([&] { return world_.node.run([&] { return dataplane_->start(table); }); }); });
}

Cost Contender::apply(const TableDelta &delta) {
  auto next = delta; // which is kept, if it has to wait
  return cost_of([&] { insist([&] { return dataplane_->apply(std::exchange(next, {})); }); });
}

void Contender::change() {
  if (!dataplane_ || (changing_ > kChangesTime && changes_ >= kFewestChanges))
    return;
  const auto begin = Clock::now();
  // Far from the last one, so that no cache of the kernel's is warm for it.
  const auto service = (++changes_ * 7919) % services_, fresh = services_;
  TableDelta endpoint, arrival, departure;
  endpoint.setBackends[set_of(service)] =
      endpoints_of(service, service == real_of(services_), changes_);
  arrival.setBackends[set_of(fresh)] = endpoints_of(fresh, false);
  arrival.setFrontends[frontend_of(fresh)] = info_of(fresh);
  departure.removeBackends.push_back(set_of(fresh));
  departure.removeFrontends.push_back(frontend_of(fresh));
  endpoint_.add(apply(endpoint));
  arrivals_.add(apply(arrival));
  departures_.add(apply(departure));
  changing_ += Clock::now() - begin;
}

void Contender::connect() {
  const auto to = frontend_of(real_of(services_));
  const SocketAddress address =
      dataplane_ ? SocketAddress{*to.address, to.port} : SocketAddress{kServer, Port(kServerPort)};
  alone_.push_back(connection_rate(world_.client, address, 1, kSlice).per_second);
  const auto together = connection_rate(world_.client, address, 16, kSlice);
  together_.push_back(together.per_second);
  cpu_us_.push_back(together.cpu_us);
}

} // namespace sluice::bench
