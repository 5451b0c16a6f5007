// The table of proxy/cases as real packets through a data plane. A few networks work through the
// scenarios side by side, because waiting (for silence, for a refusal over IPv6) is most of the
// time. SLUICE_CASES=2.12,5 runs the cases whose numbers begin so; SLUICE_FAMILIES=by-turns each
// scenario once, as IPv4 or as IPv6.

#include "integration/packets/run.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <mutex>

namespace sluice::integration::packets {
namespace {

using proxy::cases::all_scenarios;
using proxy::cases::Scenario;

constexpr int kBenches = 6, kBenchesOfFew = 2;

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

bool speaks_sctp(const Scenario &scenario) {
  return std::any_of(scenario.lines.begin(), scenario.lines.end(), [](const auto &line) {
    return line.is_question() && line.text.find("/SCTP") != std::string::npos;
  });
}

std::vector<Job> jobs(Sctp sctp) {
  const char *families = std::getenv("SLUICE_FAMILIES");
  const bool by_turns = families != nullptr && families == std::string("by-turns");
  bool ipv6_next = false;
  std::vector<Job> out;
  for (const auto &scenario : all_scenarios()) {
    if (sctp == Sctp::sockets && !speaks_sctp(scenario))
      continue;
    const bool asks =
        std::any_of(scenario.lines.begin(), scenario.lines.end(),
                    [](const auto &line) { return line.is_question() && !line.is_reference(); });
    if (!asks || !is_wanted(scenario))
      continue;
    const bool once = scenario.only_ipv4 || scenario.dual;
    const bool as_ipv6 = !once && by_turns && std::exchange(ipv6_next, !ipv6_next);
    if (!as_ipv6)
      out.push_back({&scenario, Family::ipv4});
    if (as_ipv6 || (!once && !by_turns))
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
  void walk(Sctp sctp);
};

void packets::walk(Sctp sctp) {
  if (const auto missing = plane().missing; missing)
    if (const auto why = missing())
      GTEST_SKIP() << *why;
  const auto all = jobs(sctp);
  std::mutex mutex; // guards what follows
  std::size_t next = 0;
  std::vector<std::string> failures;
  std::set<std::string> answered;
  const auto work = [&] {
    auto bench = Bench::create(plane(), sctp);
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
  for (int i = 0; i < (sctp == Sctp::sockets ? kBenchesOfFew : kBenches); ++i)
    workers.emplace_back(work);
  for (auto &worker : workers)
    worker.join();
  for (const auto &failure : failures)
    ADD_FAILURE() << failure;
  std::printf("%zu cases as packets through %s, %zu scenarios\n", answered.size(),
              GetParam().c_str(), all.size());
}

TEST_P(packets, every_case_of_the_table) { walk(Sctp::by_hand); }

TEST_P(packets, every_case_with_sctp_over_sockets) {
  if (!has_sctp_sockets())
    GTEST_SKIP() << "this kernel has no SCTP sockets (CONFIG_IP_SCTP)";
  walk(Sctp::sockets);
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
