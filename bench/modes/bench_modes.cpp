// The data planes side by side, each on a node of its own: first sync, one endpoint change, and
// connections a second through a clusterIP, with 1, 1000 and 10000 services of 10 endpoints.
// IPVS is among them where the kernel has it. Interleaved: every round asks each mode in turn.
// Needs root. usage: modes [services...]

#include "bench/modes/connections.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "kernel/spawn.hpp"
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

constexpr std::uint32_t kEndpoints = 10;
constexpr std::uint16_t kServerPort = 8001;
constexpr int kChanges = 30, kRounds = 9;
constexpr std::chrono::milliseconds kSlice{300};

/// Ends the program with the error; a benchmark has no other use for it.
template <class T> T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "modes: %s\n", result.error().what().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>)
    return std::move(*result);
}

/// A client and a server, and the node that routes between them.
struct World {
  kernel::NetNs node = must(kernel::NetNs::create()), client = must(kernel::NetNs::create()),
                server = must(kernel::NetNs::create());
  World() {
    run(node, "sysctl -q -w net.ipv4.ip_forward=1");
    attach(client, "pod2", "10.244.0.2");
    attach(server, "pod3", "10.244.0.3");
  }

private:
  static void run(const kernel::NetNs &ns, const std::string &script) {
    const auto output = must(kernel::run_program(
        {.argv = {"sh", "-ec", script}, .netns_fd = ns.fd()}, "", std::chrono::seconds(20)));
    if (!output.status.success()) {
      std::fprintf(stderr, "modes: %s: %s\n", script.c_str(), output.stderr_text.c_str());
      std::exit(1);
    }
  }
  void attach(const kernel::NetNs &ns, const std::string &link, const std::string &address) const {
    const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ns.fd());
    run(node, "ip link add " + link + " type veth peer name eth0 netns " + path + "; ip link set " +
                  link + " up; ip addr add 10.244.0.1/32 dev " + link);
    run(ns,
        "ip link set eth0 up; ip addr add " + address +
            "/32 dev eth0; ip route add 10.244.0.1 dev eth0; ip route add default via 10.244.0.1");
    run(node, "ip route add " + address + " dev " + link);
  }
};

IpAddress address(std::uint32_t first, std::uint32_t number) {
  return IpAddress::from_v4(first + number);
}

/// The service whose endpoints are the server's ports lies in the middle of the others.
constexpr std::uint32_t kClusterIps = 0x0a600000, kPods = 0x0a800000;

BackendSet endpoints_of(std::uint32_t service, bool real, std::uint32_t moved = 0) {
  BackendSet set;
  for (std::uint32_t at = 0; at < kEndpoints; ++at)
    set.push_back({real ? SocketAddress{*IpAddress::parse("10.244.0.3"),
                                        Port(static_cast<std::uint16_t>(kServerPort + at))}
                        : SocketAddress{address(kPods, service * 16 + at + (at == 0 ? moved : 0)),
                                        Port(8080)},
                   false, false});
  std::sort(set.begin(), set.end());
  return set;
}

Table table_of(std::uint32_t services) {
  Table table;
  table.node.localDetector = {LocalDetector::Kind::cidr, {*Cidr::parse("10.244.0.0/24")}, ""};
  table.node.serviceCidrs = {*Cidr::parse("10.96.0.0/12")};
  for (std::uint32_t service = 0; service < services; ++service) {
    const BackendSetId set(service + 1);
    table.backendSets[set] = endpoints_of(service, service == services / 2);
    FrontendInfo info{.service = {"bench", "s" + std::to_string(service), "web"}};
    info.from_pod = {set, false, WhenEmpty::reject};
    info.from_node = info.from_outside = {set, true, WhenEmpty::reject};
    table.frontends[{address(kClusterIps, service + 1), Port(80), Protocol::tcp}] = info;
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

struct Cost {
  double ms = 0, cpu = 0;
};

template <class Fn> Cost cost_of(Fn fn) {
  const auto cpu = cpu_ms();
  const auto begin = Clock::now();
  fn();
  return {std::chrono::duration<double, std::milli>(Clock::now() - begin).count(), cpu_ms() - cpu};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

using Open = std::function<std::unique_ptr<Dataplane>(const kernel::NetNs &)>;

std::unique_ptr<Dataplane> open_nftables(const kernel::NetNs &ns) {
  auto socket = must(ns.run([] { return kernel::nft::NftSocket::open(); }));
  return nftables::make_dataplane(Family::ipv4,
                                  std::make_unique<kernel::nft::NftSocket>(std::move(socket)));
}

std::unique_ptr<Dataplane> open_ipvs(const kernel::NetNs &ns) {
  static const SteadyClock kClock;
  const ipvs::Options options;
  auto nft = must(ns.run([] { return kernel::nft::NftSocket::open(); }));
  auto socket = must(ns.run([] { return kernel::ipvs::IpvsSocket::open(); }));
  return ipvs::make_dataplane(
      Family::ipv4, std::make_unique<kernel::nft::NftSocket>(std::move(nft)),
      std::make_unique<kernel::ipvs::IpvsSocket>(std::move(socket)),
      ipvs::make_environment(Family::ipv4, {options.divertBit, options.ownCtBit}), kClock, options);
}

Open open_iptables(Flavour flavour) {
  return [flavour](const kernel::NetNs &ns) {
    return iptables::make_dataplane(
        Family::ipv4, must(kernel::iptables::open_tool({.flavour = flavour, .netns_fd = ns.fd()})),
        iptables::options_for(flavour));
  };
}

/// One mode with its own node.
class Contender {
public:
  Contender(std::string name, const Open &open, std::uint32_t services)
      : name_(std::move(name)), server_(world_.server, Port(kServerPort), kEndpoints),
        services_(services) {
    if (!open) // no rules: straight to the endpoint
      return;
    dataplane_ = open(world_.node);
    const auto table = table_of(services);
    first_ = cost_of([&] { must(world_.node.run([&] { return dataplane_->start(table); })); });
  }

  const std::string &name() const { return name_; }

  void change() {
    if (!dataplane_ || services_ < 2)
      return;
    TableDelta delta;
    const auto service = moves_ % services_;
    if (service != services_ / 2)
      delta.setBackends[BackendSetId(service + 1)] = endpoints_of(service, false, 1000000 + moves_);
    ++moves_;
    const auto cost = cost_of([&] { must(dataplane_->apply(delta)); });
    change_ms_.push_back(cost.ms);
    change_cpu_.push_back(cost.cpu);
  }

  void connect() {
    const SocketAddress to =
        dataplane_ ? SocketAddress{address(kClusterIps, services_ / 2 + 1), Port(80)}
                   : SocketAddress{*IpAddress::parse("10.244.0.3"), Port(kServerPort)};
    alone_.push_back(connections_per_second(world_.client, to, 1, kSlice));
    together_.push_back(connections_per_second(world_.client, to, 16, kSlice));
  }

  void print(double direct) const {
    const auto rate = median(together_);
    std::printf("| %s | %u | ", name_.c_str(), services_);
    if (dataplane_)
      std::printf("%.1f | %.1f | ", first_.ms, first_.cpu);
    else
      std::printf("- | - | ");
    if (change_ms_.empty())
      std::printf("- | - | ");
    else
      std::printf("%.3f | %.3f | ", median(change_ms_), median(change_cpu_));
    std::printf("%.0f | %.0f | %.2f |\n", median(alone_), rate, rate / direct);
  }
  double rate() const { return median(together_); }

private:
  std::string name_;
  World world_;
  Server server_;
  std::unique_ptr<Dataplane> dataplane_;
  std::uint32_t services_, moves_ = 0;
  Cost first_;
  std::vector<double> change_ms_, change_cpu_, alone_, together_;
};

void compare(std::uint32_t services) {
  std::vector<std::pair<std::string, Open>> modes{
      {"no rules, to the endpoint", {}},
      {"nftables", open_nftables},
      {"iptables-legacy", open_iptables(Flavour::legacy)},
      {"iptables-nft", open_iptables(Flavour::nft)}};
  if (kernel::ipvs::IpvsSocket::open())
    modes.emplace_back("ipvs", open_ipvs);
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const auto &[name, open] : modes)
    contenders.push_back(std::make_unique<Contender>(name, open, services));
  for (int change = 0; change < kChanges; ++change)
    for (const auto &contender : contenders)
      contender->change();
  for (int round = 0; round < kRounds; ++round)
    for (const auto &contender : contenders)
      contender->connect();
  for (const auto &contender : contenders)
    contender->print(contenders.front()->rate());
  std::fflush(stdout);
}

} // namespace
} // namespace sluice::bench

int main(int argc, char **argv) {
  std::vector<std::uint32_t> sizes{1, 1000, 10000};
  if (argc > 1)
    sizes.clear();
  for (int at = 1; at < argc; ++at)
    sizes.push_back(static_cast<std::uint32_t>(std::strtoul(argv[at], nullptr, 10)));
  std::puts(
      "| mode | services x 10 | first sync, ms | its CPU, ms | one change, ms (p50) | its CPU, ms | "
      "connections/s, 1 in flight | 16 in flight | of no rules |\n"
      "|---|---|---|---|---|---|---|---|---|");
  for (const auto services : sizes)
    sluice::bench::compare(services);
  return 0;
}
