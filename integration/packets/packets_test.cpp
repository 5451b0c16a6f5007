// The table of proxy/cases as real packets through a data plane. A few networks work through the
// scenarios side by side, because waiting (for silence, for a refusal over IPv6) is most of the
// time. SLUICE_CASES=2.12,5 runs the cases whose numbers begin so.

#include "integration/packets/run.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <mutex>

namespace sluice::integration::packets {
namespace {

using proxy::cases::all_scenarios;
using proxy::cases::Scenario;

constexpr int kBenches = 6;

struct Job {
  const Scenario *scenario;
  Family as;
};

bool is_wanted(const Scenario &scenario) {
  const char *wanted = std::getenv("SLUICE_CASES");
  if (wanted == nullptr)
    return true;
  for (const auto &line : scenario.lines)
    for (const auto &number : line.cases)
      for (const auto &prefix : proxy::cases::split(wanted, ','))
        if (number == prefix || number.rfind(prefix + ".", 0) == 0)
          return true;
  return false;
}

std::vector<Job> jobs() {
  std::vector<Job> out;
  for (const auto &scenario : all_scenarios()) {
    const bool asks =
        std::any_of(scenario.lines.begin(), scenario.lines.end(),
                    [](const auto &line) { return line.is_question() && !line.is_reference(); });
    if (!asks || !is_wanted(scenario))
      continue;
    out.push_back({&scenario, Family::ipv4});
    if (!scenario.only_ipv4 && !scenario.dual)
      out.push_back({&scenario, Family::ipv6});
  }
  return out;
}

class packets : public testing::TestWithParam<std::string> {
protected:
  Plane plane() const {
    for (auto &plane : planes())
      if (plane.name == GetParam())
        return plane;
    return {};
  }
};

TEST_P(packets, every_case_of_the_table) {
  if (const auto missing = plane().missing; missing)
    if (const auto why = missing())
      GTEST_SKIP() << *why;
  const auto all = jobs();
  std::mutex mutex; // guards what follows
  std::size_t next = 0;
  std::vector<std::string> failures;
  std::set<std::string> answered;
  const auto work = [&] {
    auto bench = Bench::create(plane());
    for (;;) {
      const Job *job = nullptr;
      {
        const std::lock_guard lock(mutex);
        if (!bench)
          failures.push_back(bench.error().what());
        if (!bench || next == all.size())
          return;
        job = &all[next++];
      }
      const auto begin = std::chrono::steady_clock::now();
      auto outcome = run(**bench, *job->scenario, job->as);
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::steady_clock::now() - begin);
      const std::lock_guard lock(mutex);
      if (std::getenv("SLUICE_VERBOSE") != nullptr)
        std::printf("%6ld ms %s [%s]\n", static_cast<long>(took.count()),
                    job->scenario->title.c_str(), std::string(name_of(job->as)).c_str());
      failures.insert(failures.end(), outcome.failures.begin(), outcome.failures.end());
      answered.insert(outcome.answered.begin(), outcome.answered.end());
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < kBenches; ++i)
    workers.emplace_back(work);
  for (auto &worker : workers)
    worker.join();
  for (const auto &failure : failures)
    ADD_FAILURE() << failure;
  std::printf("%zu cases as packets through %s, %zu scenarios\n", answered.size(),
              GetParam().c_str(), all.size());
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto &plane : planes())
    out.push_back(plane.name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(dataplanes, packets, testing::ValuesIn(names()), [](const auto &name) {
  auto text = name.param;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

} // namespace
} // namespace sluice::integration::packets
