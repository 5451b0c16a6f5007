// The data planes side by side: first sync, changes, and connections a second through a clusterIP.
// Each mode with each number of Services has a node of its own, and all of them are there at once:
// every round asks each in turn and begins with another one, so that what the machine does
// meanwhile meets them all, and a rate may be divided by another. IPVS is among them where the
// kernel has it. Needs root.

#include "bench/arguments.hpp"
#include "bench/modes/contender.hpp"

#include <cstdio>

namespace sluice::bench {
namespace {

constexpr int kChanges = 30, kRounds = 15;

class Comparison {
public:
  explicit Comparison(std::vector<std::uint32_t> sizes) {
    std::sort(sizes.begin(), sizes.end());
    fewest_ = sizes.front();
    for (const auto services : sizes)
      for (const auto &mode : all_modes())
        if (mode.open || services == fewest_)
          contenders_.push_back(std::make_unique<Contender>(mode, services));
  }

  void run() {
    for (int change = 0; change < kChanges; ++change)
      each_from(change, &Contender::change);
    for (int round = 0; round < kRounds; ++round)
      each_from(round, &Contender::connect);
  }

  void print_changes() const {
    std::puts("| mode | services x 10 | first sync, ms | its CPU | one endpoint, ms (p50) | its "
              "CPU | a service comes, ms | its CPU | a service goes, ms | its CPU |\n"
              "|---|---|---|---|---|---|---|---|---|---|");
    for (const auto &one : contenders_) {
      if (one->mode() == none().mode())
        continue;
      std::printf("| %s | %u | %.1f | %.1f |", one->mode().c_str(), one->services(),
                  one->first_sync().ms, one->first_sync().cpu_ms);
      for (const auto *costs : {&one->endpoint_changes(), &one->arrivals(), &one->departures()})
        std::printf(" %.3f | %.3f |", median(costs->ms), median(costs->cpu_ms));
      std::puts("");
    }
  }

  void print_rates() const {
    std::printf(
        "| mode | services x 10 | connections/s, 1 in flight | of no rules | of its own "
        "with %u | 16 in flight | of no rules | of its own with %u | CPU of each, us | of no "
        "rules | of its own with %u |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n",
        fewest_, fewest_, fewest_);
    for (const auto &one : contenders_) {
      const auto &base = with_fewest(one->mode());
      std::printf("| %s | %s |", one->mode().c_str(),
                  one->mode() == none().mode() ? "-" : std::to_string(one->services()).c_str());
      for (const auto rates : {&Contender::alone, &Contender::together, &Contender::cpu_us})
        std::printf(" %.0f | %.3f | %.3f |", median((*one.*rates)()),
                    ratio((*one.*rates)(), (none().*rates)()),
                    ratio((*one.*rates)(), (base.*rates)()));
      std::puts("");
    }
  }

private:
  void each_from(int first, void (Contender::*step)()) {
    for (std::size_t at = 0; at < contenders_.size(); ++at)
      (*contenders_[(at + static_cast<std::size_t>(first)) % contenders_.size()].*step)();
  }

  const Contender &none() const { return *contenders_.front(); }
  const Contender &with_fewest(const std::string &mode) const {
    return **std::find_if(contenders_.begin(), contenders_.end(),
                          [&](const auto &one) { return one->mode() == mode; });
  }

  /// Round by round, so that what changes slowly falls out.
  static double ratio(const std::vector<double> &rates, const std::vector<double> &of) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < rates.size(); ++round)
      ratios.push_back(rates[round] / of[round]);
    return median(std::move(ratios));
  }

  std::uint32_t fewest_ = 0;
  std::vector<std::unique_ptr<Contender>> contenders_; ///< by rising size; the first has no rules
};

} // namespace
} // namespace sluice::bench

int main(int argc, char **argv) {
  using namespace sluice::bench;
  Comparison comparison(
      services_of(argc, argv, {1, 1000, 10000}, "modes [SERVICES...]   (without: 1 1000 10000)"));
  comparison.run();
  comparison.print_changes();
  std::puts("");
  comparison.print_rates();
  return 0;
}
