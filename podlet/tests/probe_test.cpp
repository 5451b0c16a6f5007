#include "podlet/container.hpp"
#include "podlet/probe.hpp"

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::podlet;
using std::chrono::seconds;

TEST(podlet_probe, a_probe_is_due_after_its_delay_and_then_every_period) {
  kube::Probe probe;
  probe.initialDelaySeconds = 5;
  probe.periodSeconds = 3;
  const Time start(seconds(1000));
  ProbeSchedule schedule(probe, start);
  EXPECT_EQ(schedule.due(), start + seconds(5));
  schedule.record(true, start + seconds(6));
  EXPECT_EQ(schedule.due(), start + seconds(9));
}

TEST(podlet_probe, answers_in_a_row_make_a_verdict) {
  struct Case {
    const char *name, *answers; ///< + and -
    int successes, failures;
    std::optional<bool> verdict;
    int line;
  };
  const Case cases[] = {
      {"no answer, no verdict", "", 1, 3, std::nullopt, __LINE__},
      {"one success is enough by default", "+", 1, 3, true, __LINE__},
      {"two failures are not", "--", 1, 3, std::nullopt, __LINE__},
      {"three failures are", "---", 1, 3, false, __LINE__},
      {"a success between begins the count anew", "--+--", 1, 3, true, __LINE__},
      {"a good verdict falls after three failures", "+---", 1, 3, false, __LINE__},
      {"it takes as many successes as asked for", "---+", 2, 3, false, __LINE__},
      {"and then turns", "---++", 2, 3, true, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    kube::Probe probe;
    probe.successThreshold = c.successes;
    probe.failureThreshold = c.failures;
    ProbeSchedule schedule(probe, Time());
    for (const char *answer = c.answers; *answer != '\0'; ++answer)
      schedule.record(*answer == '+', Time());
    EXPECT_EQ(schedule.verdict(), c.verdict);
  }
}

TEST(podlet_probe, a_port_is_a_number_or_a_name_of_the_container) {
  kube::Container container;
  container.ports = {{"http", 8080, Protocol::tcp}};
  EXPECT_EQ(*probe_port(container, {80, ""}), Port(80));
  EXPECT_EQ(*probe_port(container, {0, "http"}), Port(8080));
  EXPECT_FALSE(probe_port(container, {0, "https"}));
  EXPECT_FALSE(probe_port(container, {0, ""}));
  EXPECT_FALSE(probe_port(container, {65536, ""}));
}

TEST(podlet_container, the_start_time_is_field_22_whatever_the_name_holds) {
  std::string stat = "42 (a b) c) S 1 2 3";
  for (int field = 7; field < 22; ++field)
    stat += " 0";
  EXPECT_EQ(parse_start_ticks(stat + " 987654 5 6"), 987654U);
  EXPECT_EQ(parse_start_ticks(""), 0U);
  EXPECT_EQ(parse_start_ticks("42 (x) S 1"), 0U);
  EXPECT_NE(start_ticks_of(::getpid()), 0U);
}
