// ADD and DEL of one pod: ours against the floor (floor.cpp) and the reference plugins, in one run,
// interleaved in blocks whose order rotates, each contender in a host namespace of its own. Then 32
// at a time. Prints markdown tables.
#include "bench/cni/contender.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <unistd.h>
#include <vector>

namespace sluice::bench {
namespace {

constexpr int kBlocks = 10;
constexpr int kPodsPerBlock = 20;
constexpr int kWarmUp = 5;
constexpr int kParallel = 32;
constexpr int kParallelPods = 192;

struct Verb {
  std::vector<double> us, cpu_us, page_faults;
  void take(const Contender::Done &done) {
    us.push_back(done.microseconds);
    cpu_us.push_back(done.cpu_microseconds);
    page_faults.push_back(done.page_faults);
  }
};

struct Samples {
  Verb add, del;
};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

struct Peer {
  std::string name, folder;
};

/// Debian's package; `./dev bench` puts the newest one below <build tree>/../build, if it can.
std::vector<Peer> peers() {
  std::vector<Peer> found = {{"Debian 1.1", "/usr/lib/cni"}};
  const auto newer = own_folder() + "/../../build/newer-cni/usr/lib/cni";
  if (::access((newer + "/bridge").c_str(), X_OK) == 0)
    found.push_back({"newest (sid)", newer});
  else
    std::printf("The newest plugins are not in this table: they could not be fetched.\n\n");
  return found;
}

const char *const kBridge = R"("bridge":"cni0","isDefaultGateway":true,"hairpinMode":true,)";

std::vector<Kind> kinds() {
  const auto ours = own_folder() + "/sluice";
  const std::string bridge = kBridge, masquerade = bridge + R"("ipMasq":true,)";
  const auto known = peers();
  std::vector<Kind> all = {{"sluice", "bridge", ours, bridge},
                           {"floor", "bridge", own_folder() + "/cni_floor", bridge}};
  for (const auto &[name, folder] : known)
    all.push_back({name, "bridge", folder + "/bridge", bridge});
  all.push_back({"sluice, 250 pods there", "bridge", ours, bridge, false, 250});
  all.push_back(
      {"floor, 250 pods there", "bridge", own_folder() + "/cni_floor", bridge, false, 250});
  all.push_back({"sluice", "ipMasq", ours, masquerade});
  for (const auto &[name, folder] : known)
    all.push_back({name, "ipMasq", folder + "/bridge", masquerade});
  all.push_back({"sluice, 10000 foreign nft rules", "ipMasq", ours, masquerade, false, 0, 10'000});
  all.push_back({"sluice", "dual stack", ours, bridge, true});
  for (const auto &[name, folder] : known)
    all.push_back({name, "dual stack", folder + "/bridge", bridge, true});
  all.push_back({"sluice, mode routed", "no bridge", ours, R"("mode":"routed",)"});
  for (const auto &[name, folder] : known)
    all.push_back({name + ", ptp", "no bridge", folder + "/ptp", ""});
  return all;
}

void run_block(const Contender &contender, int pods, Samples *samples) {
  for (int i = 0; i < pods; ++i) {
    const auto pod = kernel::NetNs::create().value();
    const auto added = contender.add(i, pod);
    const auto removed = contender.del(i, pod, added.output);
    if (!samples)
      continue;
    samples->add.take(added);
    samples->del.take(removed);
  }
}

using Contenders = std::vector<std::unique_ptr<Contender>>;

void print_table(const char *verb, const Contenders &contenders,
                 const std::vector<Samples> &samples, Verb Samples::*which) {
  double ours = 0;
  std::string group;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const auto &values = samples[i].*which;
    const double p50 = quantile(values.us, 0.5);
    const auto &kind = contenders[i]->kind();
    if (kind.group != group)
      ours = p50;
    group = kind.group;
    std::printf("| %s | %s | %s | %.2f | %.2f | %.2f | %.2f | %.3f | %.2f | %.0f |\n", verb,
                group.c_str(), kind.name.c_str(), p50 / 1000, quantile(values.us, 0.9) / 1000,
                quantile(values.us, 0.99) / 1000, p50 / ours, ours / p50,
                quantile(values.cpu_us, 0.5) / 1000, quantile(values.page_faults, 0.5));
  }
}

void measure_one_by_one(const Contenders &contenders, int blocks) {
  std::vector<Samples> samples(contenders.size());
  for (const auto &contender : contenders)
    run_block(*contender, kWarmUp, nullptr);
  for (int block = 0; block < blocks; ++block)
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const auto turn = (i + static_cast<std::size_t>(block)) % contenders.size();
      run_block(*contenders[turn], kPodsPerBlock, &samples[turn]);
    }
  std::printf("%d pods each, in %d blocks of %d, order rotated; milliseconds.\n\n",
              blocks * kPodsPerBlock, blocks, kPodsPerBlock);
  std::printf(
      "| verb | group | plugin | p50 | p90 | p99 | p50 / ours | ours / p50 | CPU | page faults |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  print_table("ADD", contenders, samples, &Samples::add);
  print_table("DEL", contenders, samples, &Samples::del);
}

/// Calls `work` for 0 .. kParallelPods - 1, kParallel at a time; calls a second.
template <class Work> double rate(Work work) {
  std::atomic<int> next = 0;
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kParallel; ++i)
      threads.emplace_back([&] {
        for (int pod = next++; pod < kParallelPods; pod = next++)
          work(static_cast<std::size_t>(pod));
      });
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return kParallelPods / taken.count();
}

void measure_parallel(const Contenders &contenders) {
  std::printf("\n| %d at a time, %d pods | ADD/s | DEL/s |\n|---|---|---|\n", kParallel,
              kParallelPods);
  for (const auto &contender : contenders) {
    const auto &kind = contender->kind();
    if (kind.pods > 0 || kind.rules > 0 || (kind.group != "bridge" && kind.group != "ipMasq"))
      continue;
    std::vector<kernel::NetNs> pods;
    for (int i = 0; i < kParallelPods; ++i)
      pods.push_back(kernel::NetNs::create().value());
    std::vector<std::string> results(pods.size());
    const double adds = rate(
        [&](std::size_t i) { results[i] = contender->add(static_cast<int>(i), pods[i]).output; });
    const double dels = rate(
        [&](std::size_t i) { (void)contender->del(static_cast<int>(i), pods[i], results[i]); });
    std::printf("| %s, %s | %.0f | %.0f |\n", kind.group.c_str(), kind.name.c_str(), adds, dels);
  }
}

/// `only`: the names of programs; empty: all.
int run(int blocks, const std::vector<std::string> &only) {
  Contenders contenders;
  for (auto &kind : kinds())
    if (only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string &name) {
          return kind.program.ends_with("/" + name);
        }))
      contenders.push_back(std::make_unique<Contender>(std::move(kind)));
  measure_one_by_one(contenders, blocks);
  measure_parallel(contenders);
  std::printf("\n| ADD under strace | system calls | netlink messages sent |\n|---|---|---|\n");
  for (const auto &contender : contenders)
    if (contender->kind().pods == 0 && contender->kind().rules == 0)
      std::printf("| %s, %s | %s |\n", contender->kind().group.c_str(),
                  contender->kind().name.c_str(), contender->count_calls().c_str());
  return 0;
}

} // namespace
} // namespace sluice::bench

/// [blocks [program...]]: `cni 4 sluice cni_floor` leaves out the reference plugins.
int main(int argc, char **argv) {
  const std::vector<std::string> only(argv + std::min(argc, 2), argv + argc);
  return sluice::bench::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : sluice::bench::kBlocks,
                            only);
}
