// The real sluice-proxy against an API server of N services x 10 endpoints, in a network namespace:
// what its first sync costs, what it keeps, and how long one changed endpoint takes from the watch
// event to the committed rules. Beside it kube-proxy 1.36.2 in its nftables mode, measured on a
// machine of this kind. Needs root.

#include "bench/arguments.hpp"
#include "bench/must.hpp"
#include "bench/proxy/kube_proxy_figures.hpp"
#include "bench/proxy/proxy_process.hpp"

#include <algorithm>
#include <cstdio>
#include <random>
#include <unistd.h>

namespace sluice::bench {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;
using Seconds = std::chrono::duration<double>;

constexpr int kChanges = 1000;
constexpr std::chrono::milliseconds kPause{1};
constexpr std::chrono::seconds kIdle{35}; // longer than the period of the read-back

struct Latencies {
  std::vector<double> milliseconds;
  double cpu_ms = 0; ///< for each
  double quantile(double q) {
    std::sort(milliseconds.begin(), milliseconds.end());
    const auto n = static_cast<double>(milliseconds.size());
    return milliseconds[std::min(milliseconds.size() - 1, static_cast<std::size_t>(q * n))];
  }
};

class Measurement {
public:
  explicit Measurement(std::uint32_t services)
      : services_(services), ns_(must(kernel::NetNs::create())),
        api_(must(ClusterApi::start(ns_, services))),
        proxy_(must(ProxyProcess::start(ns_, *api_))) {}

  void run(bool idle) {
    const double ready = Seconds(proxy_->ready_after()).count();
    const double sync_cpu = Seconds(proxy_->cpu()).count();
    ::sleep(1);
    const auto after_sync = proxy_->memory();
    auto replaced = changes([&](std::uint32_t service, int round) {
      auto endpoints = ClusterApi::endpoints_of(service);
      endpoints.back() = services_ * kEndpoints + static_cast<std::uint32_t>(round);
      return endpoints;
    });
    auto resized = changes([&](std::uint32_t service, int round) {
      auto endpoints = ClusterApi::endpoints_of(service);
      endpoints.resize(kEndpoints - 1 - static_cast<std::size_t>(round % 2));
      return endpoints;
    });
    const auto at_end = proxy_->memory();
    double idle_percent = 0;
    if (idle) {
      const auto before = proxy_->cpu();
      ::sleep(static_cast<unsigned>(kIdle.count()));
      idle_percent = 100 * Seconds(proxy_->cpu() - before).count() / Seconds(kIdle).count();
    }
    std::printf("| %u | %.2f | %.2f | %.3f / %.3f | %.3f | %.3f / %.3f | %.1f -> %.1f (%.1f) | "
                "%.0f | ",
                services_, ready, sync_cpu, replaced.quantile(0.5), replaced.quantile(0.99),
                replaced.cpu_ms, resized.quantile(0.5), resized.quantile(0.99), after_sync.total_mb,
                at_end.total_mb, at_end.anonymous_mb, at_end.peak_mb);
    idle ? std::printf("%.3f %% | ", idle_percent) : std::printf("- | ");
    compare(ready, sync_cpu, replaced, after_sync);
    std::fflush(stdout);
  }

private:
  template <class Next> Latencies changes(Next next) {
    Latencies out;
    const auto cpu = proxy_->cpu();
    for (int i = 0; i < kChanges; ++i) {
      // Each Service once before any comes again: an event that changes nothing has no commit.
      const auto service = static_cast<std::uint32_t>(i) % services_;
      const auto event = api_->slice_event(service, next(service, round(i)));
      std::this_thread::sleep_for(kPause);
      proxy_->drain_commits();
      const auto begin = Clock::now();
      api_->send(event);
      const auto end = must(proxy_->next_commit());
      out.milliseconds.push_back(Milliseconds(end - begin).count());
    }
    out.cpu_ms = Milliseconds(proxy_->cpu() - cpu).count() / kChanges;
    return out;
  }
  int round(int i) const { return i / static_cast<int>(services_) + 1; }

  void compare(double ready, double sync_cpu, Latencies &replaced, const Memory &memory) const {
    const auto *peer = kube_proxy_figures("nftables", services_);
    if (peer == nullptr) {
      std::printf("- | - | - |\n");
      return;
    }
    std::printf("%.0f x, CPU %.0f x | %.0f x, CPU %.0f x | %.1f x |\n", peer->ready_s / ready,
                peer->sync_cpu_s / sync_cpu, peer->change_ms / replaced.quantile(0.5),
                peer->change_cpu_ms / replaced.cpu_ms, peer->rss_mb / memory.total_mb);
  }

  std::uint32_t services_;
  kernel::NetNs ns_;
  std::unique_ptr<ClusterApi> api_;
  std::unique_ptr<ProxyProcess> proxy_;
};

} // namespace
} // namespace sluice::bench

int main(int argc, char **argv) {
  using namespace sluice::bench;
  const auto sizes = services_of(argc, argv, {100, 1000, 10000},
                                 "proxy_sync [SERVICES...]   (without: 100 1000 10000, and idle)");
  const bool all = argc == 1;
  std::printf(
      "sluice-proxy, nftables data plane, N services x %u endpoints; %d changes of one endpoint, then "
      "%d that change how many there are, from the watch event to the commit.\n\n"
      "| N | ready after start, s | CPU of it, s | one endpoint replaced, p50 / p99 ms | CPU, ms | "
      "number of endpoints changed, p50 / p99 ms | RSS after sync -> at the end (anonymous), MB | "
      "peak, MB | idle CPU | kube-proxy's start / ours | its change / ours | its RSS / ours |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      kEndpoints, kChanges, kChanges);
  for (const auto services : sizes)
    Measurement(services).run(all);
  return 0;
}
