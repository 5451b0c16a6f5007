// The real sluice-proxy in each mode, against an API server of N services x 10 endpoints: what its
// first sync costs, what it and the kernel keep, and how long one changed endpoint takes from the
// watch event to the line in its log that says it is in the kernel. All modes of one size live at
// once and change in turn. Needs root.

#include "bench/arguments.hpp"
#include "bench/must.hpp"
#include "bench/proxy/kube_proxy_figures.hpp"
#include "bench/proxy/proc_files.hpp"
#include "bench/proxy/proxy_process.hpp"
#include "kernel/ipvs/ipvs.hpp"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace sluice::bench {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;
using Seconds = std::chrono::duration<double>;

constexpr const char *kUsage =
    "proxy_modes [--mode nftables|iptables-legacy|iptables-nft|ipvs]... [SERVICES...]\n"
    "       (without: every mode that this kernel has, 1 100 1000 10000)";
constexpr std::size_t kChanges = 200, kFewestChanges = 10;
/// A mode that took so long altogether changes no more, if it changed often enough.
constexpr std::chrono::seconds kChangesTime{20};

class Contender {
public:
  Contender(std::string layout, std::uint32_t services)
      : layout_(std::move(layout)), services_(services), ns_(must(kernel::NetNs::create())),
        api_(must(ClusterApi::start(ns_, services))), kernel_mb_(-settled_kernel_megabytes()),
        proxy_(must(ProxyProcess::start(ns_, *api_, {layout_, CommitsBy::log}))),
        sync_cpu_(proxy_->cpu()) {
    kernel_mb_ += settled_kernel_megabytes();
    after_sync_ = proxy_->memory();
  }

  /// One endpoint is replaced.
  void change() {
    if (ms_.size() >= kFewestChanges && changing_ > kChangesTime)
      return;
    const auto number = static_cast<std::uint32_t>(ms_.size());
    const auto service = number * 7919 % services_;
    auto endpoints = ClusterApi::endpoints_of(service);
    endpoints.back() = services_ * kEndpoints + number;
    const auto event = api_->slice_event(service, endpoints);
    ::usleep(1000);
    proxy_->drain_commits();
    const auto cpu = proxy_->cpu();
    const auto begin = Clock::now();
    api_->send(event);
    ms_.push_back(Milliseconds(must(proxy_->next_commit()) - begin).count());
    ::usleep(1000);
    cpu_ += proxy_->cpu() - cpu;
    changing_ += Clock::now() - begin;
  }

  void print() {
    std::sort(ms_.begin(), ms_.end());
    const auto quantile = [&](double q) {
      return ms_[static_cast<std::size_t>(q * static_cast<double>(ms_.size() - 1))];
    };
    const double ready = Seconds(proxy_->ready_after()).count(),
                 sync_cpu = Seconds(sync_cpu_).count(), change = quantile(0.5),
                 change_cpu = Milliseconds(cpu_).count() / static_cast<double>(ms_.size());
    const auto memory = proxy_->memory();
    std::printf("| %s | %u | %.2f | %.2f | %.3f / %.3f (%zu) | %.2f | %.1f -> %.1f (%.1f) | %.1f | "
                "%.1f | %.1f | ",
                layout_.c_str(), services_, ready, sync_cpu, change, quantile(0.99), ms_.size(),
                change_cpu, after_sync_.total_mb, memory.total_mb, memory.anonymous_mb,
                memory.peak_mb, proxy_->program_peak_mb(), kernel_mb_);
    if (const auto *peer = kube_proxy_figures(layout_, services_))
      std::printf("%.1f x, CPU %.1f x | %.1f x, CPU %.1f x | %.1f x |\n", peer->ready_s / ready,
                  peer->sync_cpu_s / sync_cpu, peer->change_ms / change,
                  peer->change_cpu_ms / change_cpu, peer->rss_mb / after_sync_.total_mb);
    else
      std::printf("- | - | - |\n");
    std::fflush(stdout);
  }

private:
  std::string layout_;
  std::uint32_t services_;
  kernel::NetNs ns_;
  std::unique_ptr<ClusterApi> api_;
  double kernel_mb_;
  std::unique_ptr<ProxyProcess> proxy_;
  std::chrono::nanoseconds sync_cpu_, cpu_{}, changing_{};
  Memory after_sync_;
  std::vector<double> ms_;
};

void compare(const std::vector<std::string> &layouts, std::uint32_t services) {
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const auto &layout : layouts)
    contenders.push_back(std::make_unique<Contender>(layout, services));
  for (std::size_t change = 0; change < kChanges; ++change)
    for (const auto &contender : contenders)
      contender->change();
  for (const auto &contender : contenders)
    contender->print();
}

struct Wanted {
  std::vector<std::string> layouts;
  std::vector<std::uint32_t> sizes;
};

Wanted read_arguments(int argc, char **argv) {
  std::vector<std::string> every{"nftables", "iptables-legacy", "iptables-nft"};
  if (kernel::ipvs::IpvsSocket::open())
    every.emplace_back("ipvs");
  Wanted wanted;
  for (int at = 1; at < argc; ++at) {
    if (std::string_view(argv[at]) != "--mode") {
      wanted.sizes.push_back(parse_services(argv[at], kUsage));
      continue;
    }
    const std::string layout = ++at < argc ? argv[at] : "";
    if (std::find(every.begin(), every.end(), layout) == every.end())
      show_usage(kUsage, false);
    wanted.layouts.push_back(layout);
  }
  if (wanted.layouts.empty())
    wanted.layouts = every;
  if (wanted.sizes.empty())
    wanted.sizes = {1, 100, 1000, 10000};
  return wanted;
}

} // namespace
} // namespace sluice::bench

int main(int argc, char **argv) {
  using namespace sluice::bench;
  const auto wanted = read_arguments(argc, argv);
  std::puts(
      "| mode | N | ready after start, s | CPU of it, s | one endpoint replaced, p50 / p99 ms "
      "(how often) | CPU, ms | RSS after sync -> at the end (anonymous), MB | its peak, MB | "
      "peak of a program that it runs, MB | the kernel's memory, MB | kube-proxy's start / "
      "ours | its change / ours | its RSS / ours |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|");
  for (const auto services : wanted.sizes)
    compare(wanted.layouts, services);
  return 0;
}
