// How long a full sync takes, and one endpoint change, at 100, 1000 and 10000 services of 10
// endpoints, each in a fresh network namespace. Beside it, interleaved in the same run: the two
// netlink messages of that change alone (the floor), and the same change done by nft(8) in the
// shape of kube-proxy's rules. Needs root and nft.

#include "bench/arguments.hpp"
#include "bench/must.hpp"
#include "bench/proxy/kube_proxy_shape.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "proxy/nftables/dataplane.hpp"
#include "proxy/nftables/layout.hpp"

#include <algorithm>
#include <cstdio>
#include <random>
#include <sys/resource.h>

namespace sluice::bench {
namespace {

using namespace proxy;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::uint32_t kEndpoints = 10;
constexpr int kChanges = 400, kNftChanges = 20;

/// Counts what goes through it.
class CountingNft final : public kernel::nft::Nft {
public:
  CountingNft(kernel::nft::NftSocket socket, std::size_t &objects, std::size_t &commits)
      : socket_(std::move(socket)), objects_(objects), commits_(commits) {}
  using Nft::commit;
  Result<> commit(const kernel::nft::Batch &batch, kernel::nft::CommitOptions options) override {
    objects_ += batch.size();
    commits_ += batch.empty() ? 0 : 1;
    return socket_.commit(batch, options);
  }
  Result<std::uint32_t> generation() override { return socket_.generation(); }
  Result<std::vector<kernel::nft::TableInfo>> read_tables() override {
    return socket_.read_tables();
  }
  Result<std::optional<kernel::nft::TableInfo>>
  read_table(const kernel::nft::TableId &table) override {
    return socket_.read_table(table);
  }
  Result<std::vector<kernel::nft::Chain>> read_chains(const kernel::nft::TableId &table) override {
    return socket_.read_chains(table);
  }
  Result<std::vector<kernel::nft::SetInfo>> read_sets(const kernel::nft::TableId &table) override {
    return socket_.read_sets(table);
  }
  Result<> read_elements(const kernel::nft::TableId &table, const std::string &set,
                         kernel::nft::ElementSink &sink) override {
    return socket_.read_elements(table, set, sink);
  }
  Result<std::vector<kernel::nft::RuleInfo>>
  read_rules(const kernel::nft::TableId &table) override {
    return socket_.read_rules(table);
  }

private:
  kernel::nft::NftSocket socket_;
  std::size_t &objects_, &commits_;
};

IpAddress pod(std::uint32_t number) { return IpAddress::from_v4(0x0a800000 + number); }

Table table_of(std::uint32_t services) {
  Table table;
  table.node.localDetector = {
      .kind = LocalDetector::Kind::cidr, .cidrs = {*Cidr::parse("10.128.0.0/24")}, .interface = {}};
  table.node.serviceCidrs = {*Cidr::parse("10.96.0.0/12")};
  for (std::uint32_t s = 0; s < services; ++s) {
    const BackendSetId set(s + 1);
    for (std::uint32_t e = 0; e < kEndpoints; ++e)
      table.backendSets[set].push_back({.address = {pod(s * kEndpoints + e + 1), Port(8080)}});
    table.frontends[{IpAddress::from_v4(0x0a600001 + s), Port(80), Protocol::tcp}] = {
        .service = {"default", "s" + std::to_string(s), ""},
        .from_pod = {set, false, WhenEmpty::reject},
        .from_node = {set, true, WhenEmpty::reject},
        .from_outside = {set, true, WhenEmpty::reject}};
  }
  return table;
}

double cpu_ms() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval &t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

template <class Fn> double timed(Fn fn) {
  const auto begin = std::chrono::steady_clock::now();
  must(fn());
  return Milliseconds(std::chrono::steady_clock::now() - begin).count();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(q * static_cast<double>(values.size())))];
}

/// The floor: a map as large as ours, in which one element is replaced.
class Floor {
public:
  Floor(kernel::nft::NftSocket socket, std::uint32_t elements) : socket_(std::move(socket)) {
    using namespace kernel::nft;
    Batch batch(id_);
    batch.create_table().add(Set{.name = "slots",
                                 .key = {Type::mark, Type::mark},
                                 .data = {Type::ipv4_addr, Type::inet_service},
                                 .size = std::max(65536U, elements * 2)});
    for (std::uint32_t i = 0; i < elements; ++i)
      batch.add("slots", element(i, pod(i)));
    must(socket_.commit(batch));
  }
  Result<> change_one(std::uint32_t number, std::uint32_t to) {
    return socket_.commit(kernel::nft::Batch(id_).replace("slots", element(number, pod(to))));
  }

private:
  static kernel::nft::Element element(std::uint32_t number, const IpAddress &ip) {
    return {.key = nftables::slot_key(number, 0), .data = nftables::slot_data({ip, Port(8080)})};
  }
  kernel::nft::TableId id_{kernel::nft::TableFamily::ipv4, "floor"};
  kernel::nft::NftSocket socket_;
};

kernel::nft::NftSocket socket_in(const kernel::NetNs &ns) {
  return must(ns.run([] { return kernel::nft::NftSocket::open(); }));
}

void measure(std::uint32_t services) {
  const auto table = table_of(services);
  const auto ns = must(kernel::NetNs::create()), floor_ns = must(kernel::NetNs::create());
  std::size_t objects = 0, commits = 0;
  const auto plane = [&] {
    return nftables::make_dataplane(Family::ipv4,
                                    std::make_unique<CountingNft>(socket_in(ns), objects, commits));
  };
  auto proxy = plane();
  const double cpu = cpu_ms();
  const double sync = timed([&] { return proxy->start(table); });
  const double sync_cpu = cpu_ms() - cpu;
  const auto sync_objects = objects, sync_commits = commits;
  proxy = plane();
  const double adopt = timed([&] { return proxy->start(table); });

  Floor floor(socket_in(floor_ns), services * kEndpoints);
  const auto peer = must(KubeProxyShape::load(must(kernel::NetNs::create()), services, kEndpoints));
  std::mt19937 random(1);
  std::vector<double> ours, bare, nft;
  objects = 0;
  for (int i = 0; i < kChanges; ++i) {
    const auto service = static_cast<std::uint32_t>(random() % services);
    const auto other = services * kEndpoints + 1 + static_cast<std::uint32_t>(i);
    TableDelta delta;
    auto &set = delta.setBackends[BackendSetId(service + 1)];
    set = table.backendSets.at(BackendSetId(service + 1));
    set.back().address.ip = pod(other);
    ours.push_back(timed([&] { return proxy->apply(delta); }));
    bare.push_back(timed([&] { return floor.change_one(service * kEndpoints, other); }));
    if (i % (kChanges / kNftChanges) == 0)
      nft.push_back(timed([&] { return peer.change_one(service, other); }));
  }
  const double p50 = quantile(ours, 0.5), floor_p50 = quantile(bare, 0.5),
               nft_p50 = quantile(nft, 0.5);
  std::printf("| %u | %.1f (%.1f) | %zu / %zu | %.1f | %.3f | %.3f | %.1f | %.3f | %.2f | %.1f | "
              "%.0f |\n",
              services, sync, sync_cpu, sync_objects, sync_commits, adopt, p50,
              quantile(ours, 0.99), static_cast<double>(objects) / kChanges, floor_p50,
              p50 / floor_p50, nft_p50, nft_p50 / p50);
  std::fflush(stdout);
}

} // namespace
} // namespace sluice::bench

int main(int argc, char **argv) {
  const auto all = sluice::bench::services_of(
      argc, argv, {100, 1000, 10000}, "proxy_commit [SERVICES...]   (without: 100 1000 10000)");
  std::printf(
      "Proxy, nftables data plane, IPv4, N services x %u endpoints; one change: one "
      "endpoint replaced (%d changes, interleaved).\n\n"
      "| N | full sync, ms (CPU) | objects / commits | adopt after a restart, ms | one "
      "change p50, ms | p99 | kernel objects | bare messages p50, ms | ours / bare | nft -f "
      "in kube-proxy's shape p50, ms | nft / ours |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n",
      sluice::bench::kEndpoints, sluice::bench::kChanges);
  for (const auto services : all)
    sluice::bench::measure(services);
  return 0;
}
