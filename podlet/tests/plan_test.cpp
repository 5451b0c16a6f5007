#include "podlet/plan.hpp"

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::podlet;

namespace {

kube::Pod pod(const std::string &uid, const char *phase = "Pending", bool leaving = false) {
  kube::Pod pod;
  pod.metadata.uid = uid;
  pod.metadata.name = "web";
  pod.phase = phase;
  if (leaving)
    pod.metadata.deletionTimestamp = "2026-11-21T08:00:00Z";
  return pod;
}

} // namespace

TEST(podlet_plan, each_pod_gets_the_step_it_needs) {
  struct Case {
    const char *name;
    Pods desired, here;
    std::vector<Action> actions;
    int line;
  };
  const Case cases[] = {
      {"nothing wanted, nothing here", {}, {}, {}, __LINE__},
      {"a new pod begins", {{"1", pod("1")}}, {}, {{Step::begin, "1"}}, __LINE__},
      {"one that is here and the same is left alone",
       {{"1", pod("1")}},
       {{"1", pod("1")}},
       {},
       __LINE__},
      {"one that changed is told",
       {{"1", pod("1", "Running")}},
       {{"1", pod("1")}},
       {{Step::update, "1"}},
       __LINE__},
      {"one that is to go is told",
       {{"1", pod("1", "Running", true)}},
       {{"1", pod("1", "Running")}},
       {{Step::update, "1"}},
       __LINE__},
      {"one that the API forgot ends", {}, {{"1", pod("1")}}, {{Step::end, "1"}}, __LINE__},
      {"one that is to go and is not here is released",
       {{"1", pod("1", "Running", true)}},
       {},
       {{Step::release, "1"}},
       __LINE__},
      {"one that is over does not begin again", {{"1", pod("1", "Succeeded")}}, {}, {}, __LINE__},
      {"a pod made again under its name is another one",
       {{"2", pod("2")}},
       {{"1", pod("1")}},
       {{Step::end, "1"}, {Step::begin, "2"}},
       __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(plan(c.desired, c.here), c.actions);
  }
}
