// The table of proxy/cases against the model: the tracer says what every data plane must do.

#include "proxy/cases/world.hpp"
#include "proxy/tests/world.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace sluice::proxy {
namespace {

using namespace cases;

/// Walks one scenario.
class ModelRun {
public:
  explicit ModelRun(Family as) : world_(as) {
    for (const auto &line : fixture())
      statement(line);
    sync();
  }

  void run(const Scenario &scenario) {
    for (const auto &line : scenario.lines) {
      SCOPED_TRACE(std::string(scenario.file) + ":" + std::to_string(line.number) + " " +
                   line.text);
      if (!line.is_question()) {
        statement(line);
      } else if (!line.is_reference() && line.is_for({"model"})) {
        if (line.verb != "changed")
          sync();
        ask(line);
      }
    }
  }

private:
  void statement(const Line &line) {
    const auto done = world_.change(line);
    ASSERT_TRUE(done) << done.error().what();
  }

  void sync() {
    for (const auto family : kFamilies)
      changes_[family] = world_.model(family).sync().delta;
  }

  void ask(const Line &line) {
    if (line.verb == "unchanged")
      return expect_unchanged(line);
    if (line.verb == "changed")
      return expect_changed();
    if (line.verb == "touches")
      return expect_touched(line.words.at(0));
    for (const auto &question : line.questions) {
      SCOPED_TRACE(question);
      const auto probe = world_.probe(question);
      ASSERT_TRUE(probe) << probe.error().what();
      EXPECT_EQ(world_.answer(*probe), world_.canonical(line.answer));
      if (line.verb == "sticks" || line.verb == "forgets" || line.verb == "remembers") {
        EXPECT_TRUE(has_affinity(*probe));
      }
    }
  }

  void expect_unchanged(const Line &line) {
    for (const auto family : kFamilies)
      if (line.words.empty() || line.words[0] == name_of(family)) {
        EXPECT_TRUE(changes_[family].empty());
      }
  }

  void expect_changed() {
    bool pending = false;
    for (const auto family : kFamilies)
      pending = pending || world_.model(family).pending_services() != 0 ||
                world_.model(family).pending_endpoints() != 0;
    EXPECT_TRUE(pending);
    sync();
  }

  /// What is written belongs to this Service alone.
  void expect_touched(const std::string &service) {
    const auto &delta = changes_[world_.book().family()];
    const auto of_service = [&](BackendSetId id) {
      for (const auto &[frontend, info] : world_.model().table().frontends)
        for (const auto *path : {&info.from_pod, &info.from_node, &info.from_outside})
          if (path->backends == id && info.service.name != service)
            return false;
      return true;
    };
    EXPECT_FALSE(delta.empty());
    for (const auto &[frontend, info] : delta.setFrontends)
      EXPECT_EQ(info.service.name, service);
    for (const auto &[id, set] : delta.setBackends)
      EXPECT_TRUE(of_service(id)) << "set " << id.value;
    EXPECT_LE(delta.removeFrontends.size() + delta.setFrontends.size(), 1U);
    EXPECT_LE(delta.removeBackends.size() + delta.setBackends.size(), 1U);
  }

  bool has_affinity(const Probe &probe) {
    const auto &table = world_.model(probe.flow.destination.family()).table();
    const auto got = world_.model(probe.flow.destination.family()).explain(probe.flow);
    return got.frontend && table.frontends.at(*got.frontend).affinity;
  }

  World world_;
  std::map<Family, TableDelta> changes_;
};

std::vector<Family> families_of(const Scenario &scenario) {
  if (scenario.only_ipv4 || scenario.dual)
    return {Family::ipv4};
  return {Family::ipv4, Family::ipv6};
}

TEST(proxy_model, answers_every_case_of_the_table) {
  for (const auto &scenario : all_scenarios())
    for (const auto family : families_of(scenario)) {
      SCOPED_TRACE(scenario.str() + " [" + std::string(name_of(family)) + "]");
      ModelRun(family).run(scenario);
    }
}

// ---- the table itself -----------------------------------------------------------------------

TEST(proxy_cases, none_is_forgotten_and_none_is_made_up) {
  std::set<std::string> found;
  for (const auto &scenario : all_scenarios())
    for (const auto &line : scenario.lines)
      found.insert(line.cases.begin(), line.cases.end());
  const std::set<std::string> wanted(all_numbers().begin(), all_numbers().end());
  EXPECT_EQ(wanted.size(), 248U);
  EXPECT_EQ(found, wanted);
}

TEST(proxy_cases, tests_that_stand_elsewhere_exist) {
  for (const auto &scenario : all_scenarios())
    for (const auto &line : scenario.lines) {
      if (line.verb != "elsewhere")
        continue;
      SCOPED_TRACE(scenario.str() + ": " + line.text);
      ASSERT_EQ(line.words.size(), 2U);
      std::ifstream in(std::string(SLUICE_SOURCE_DIR) + "/" + line.words[0]);
      std::stringstream text;
      text << in.rdbuf();
      EXPECT_NE(text.str().find(" " + line.words[1] + ")"), std::string::npos);
    }
}

TEST(proxy_cases, a_case_that_nobody_runs_says_why) {
  std::map<std::string, std::set<std::string>> numbers;
  for (const auto &scenario : all_scenarios())
    for (const auto &line : scenario.lines)
      for (const auto &number : line.cases) {
        if (line.verb == "later")
          numbers["listed with a reason"].insert(number);
        else if (line.verb == "elsewhere")
          numbers["shown by another test"].insert(number);
        else if (line.is_for({"model"}) && !line.questions.empty())
          numbers["run in the model"].insert(number);
        EXPECT_TRUE(line.verb != "later" || line.words.size() > 3) << line.text;
      }
  for (const auto &[how, which] : numbers)
    RecordProperty(how.substr(0, how.find(' ')), static_cast<int>(which.size()));
  for (const auto &[how, which] : numbers)
    std::printf("%4zu cases: %s\n", which.size(), how.c_str());
}

TEST(proxy_cases, a_bad_line_is_named) {
  const auto error_of = [](std::string_view text) {
    const auto got = parse({"here.cpp", 10, text});
    return got ? std::string() : got.error().what();
  };
  EXPECT_EQ(error_of("1.01 P->C {L} nm"), "here.cpp:10: no scenario has begun");
  EXPECT_EQ(error_of("scenario x\n\n1.01 P->C"), "here.cpp:12: a question without an answer");
  EXPECT_EQ(error_of("scenario x\n1.01 P->C DROP | only packets"),
            "here.cpp:11: what follows the bar: \"only packets\" gives no reason");
  EXPECT_EQ(error_of("scenario x\n  set S a=b\n  1.01,1.02 P->C, X->C DROP"), "");
}

// ---- explanations -----------------------------------------------------------------------------

TEST(proxy_model, hairpin_is_told) {
  const auto got = test::World().explain("L->C");
  ASSERT_EQ(got.verdict, "translate");
  EXPECT_FALSE(got.masquerade);
  EXPECT_NE(got.reasons.back().find("hairpin"), std::string::npos) << got.reasons.back();
}

TEST(proxy_model, an_explanation_says_why_an_endpoint_is_left_out) {
  test::World world;
  world.slices = {test::slice_of(world.service, "L R2/unready L4/tn L3/st")};
  const auto got = world.explain("P->C");
  const std::vector<std::string> wanted = {
      "left out: 10.180.0.3:80: terminating, and ready endpoints are left",
      "left out: 10.180.0.4:80: terminating and not serving any more",
      "left out: 10.180.1.2:80: not ready"};
  for (const auto &line : wanted)
    EXPECT_NE(std::find(got.reasons.begin(), got.reasons.end(), line), got.reasons.end()) << line;
}

} // namespace
} // namespace sluice::proxy
