// ADD and DEL of one pod: ours against Debian's bridge + host-local, in one run, interleaved in
// blocks whose order rotates, each contender in a host namespace of its own. Prints a markdown
// table.
#include "bench/cni/contender.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace sluice::bench {
namespace {

constexpr int kBlocks = 10;
constexpr int kPodsPerBlock = 20;
constexpr int kWarmUp = 5;

struct Samples {
  std::vector<double> add_us, del_us;
};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

void print_row(const char *verb, const std::string &name, const std::vector<double> &values,
               double ours_p50) {
  const double p50 = quantile(values, 0.5);
  std::printf("| %s | %s | %.2f | %.2f | %.2f | %.1f |\n", verb, name.c_str(), p50 / 1000,
              quantile(values, 0.9) / 1000, quantile(values, 0.99) / 1000, p50 / ours_p50);
}

void run_block(Contender &contender, int pods, Samples *samples) {
  for (int i = 0; i < pods; ++i) {
    const auto pod = kernel::NetNs::create().value();
    const auto result = contender.add(pod);
    const double del_us = contender.del(pod, result.output);
    if (!samples)
      continue;
    samples->add_us.push_back(result.microseconds);
    samples->del_us.push_back(del_us);
  }
}

int run(int blocks) {
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const bool masquerade : {false, true})
    for (const auto *kind : {"sluice", "debian"})
      contenders.push_back(std::make_unique<Contender>(kind, masquerade));
  std::vector<Samples> samples(contenders.size());
  for (auto &contender : contenders)
    run_block(*contender, kWarmUp, nullptr);
  for (int block = 0; block < blocks; ++block)
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const auto turn = (i + static_cast<std::size_t>(block)) % contenders.size();
      run_block(*contenders[turn], kPodsPerBlock, &samples[turn]);
    }
  std::printf("%d pods each, in %d blocks of %d, order rotated; milliseconds.\n\n",
              blocks * kPodsPerBlock, blocks, kPodsPerBlock);
  std::printf("| verb | plugin | p50 | p90 | p99 | p50 / ours |\n|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < contenders.size(); ++i)
    print_row("ADD", contenders[i]->name(), samples[i].add_us,
              quantile(samples[i - i % 2].add_us, 0.5));
  for (std::size_t i = 0; i < contenders.size(); ++i)
    print_row("DEL", contenders[i]->name(), samples[i].del_us,
              quantile(samples[i - i % 2].del_us, 0.5));
  std::printf("\n| ADD under strace | system calls | netlink messages sent |\n|---|---|---|\n");
  for (auto &contender : contenders)
    std::printf("| %s | %s |\n", contender->name().c_str(), contender->count_calls().c_str());
  return 0;
}

} // namespace
} // namespace sluice::bench

/// The one argument is the number of blocks.
int main(int argc, char **argv) {
  return sluice::bench::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : sluice::bench::kBlocks);
}
