// Random histories: whatever Services and EndpointSlices come, change and go, every packet does
// what the model's tracer says, and no connection that was once made is cut. SLUICE_SEED=n runs one
// history and prints it; SLUICE_SEEDS=n runs so many (10000 by hand).

#include "integration/packets/questions.hpp"
#include "integration/packets/random_history.hpp"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>

namespace sluice::integration::packets {
namespace {

using proxy::cases::Line;

constexpr int kBenches = 8;
constexpr int kRounds = 10, kQuestions = 12;

unsigned number_in(const char *variable, unsigned otherwise) {
  const char *text = std::getenv(variable);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

class History {
public:
  History(Bench &bench, unsigned seed)
      : random_(seed), stage_(bench, random_.family()),
        what_("seed " + std::to_string(seed) + " [" +
              std::string(name_of(stage_.world().book().family())) + "]") {}

  /// Everything that happened up to what went wrong; empty: nothing did.
  std::string run() {
    must(stage_.begin());
    for (int round = 0; round < kRounds && wrong_.empty(); ++round) {
      for (unsigned i = 0, n = 1 + random_.below(4); i < n && wrong_.empty(); ++i)
        change(random_.change());
      must(stage_.sync());
      if (wrong_.empty())
        ask_all();
    }
    for (auto &[question, connection] : open_)
      if (wrong_.empty() && !echoes(connection.get(), "still here"))
        wrong_ = question + ", open since long: the connection is dead";
    return wrong_.empty() ? "" : what_ + "\n" + script_ + "  " + wrong_;
  }
  std::string script() const { return what_ + "\n" + script_; }
  int asked() const { return asked_; }

private:
  void must(const Result<> &done) {
    if (!done && wrong_.empty())
      wrong_ = done.error().what();
  }

  Line line_of(const std::string &text) {
    return proxy::cases::parse({"random", 1, "scenario random\n" + text})->front().lines.front();
  }

  void change(const std::string &text) {
    script_ += "  " + text + "\n";
    must(stage_.obey(line_of(text)));
  }

  /// Side by side: some wait for a silence.
  void ask_all() {
    std::vector<Asked> all;
    for (int i = 0; i < kQuestions; ++i)
      all.push_back(prepare(random_.question()));
    std::vector<std::thread> threads;
    for (auto &one : all)
      threads.emplace_back([&one] { one.answer = ask(one.what, one.expected->patience()); });
    for (auto &thread : threads)
      thread.join();
    for (auto &one : all)
      judge(one);
  }

  struct Asked {
    std::string text;
    std::unique_ptr<proxy::cases::Probe> probe;
    std::unique_ptr<Expectation> expected;
    Ask what;
    Answer answer;
  };

  Asked prepare(const std::string &text) {
    Asked asked;
    asked.probe = std::make_unique<proxy::cases::Probe>(stage_.world().probe(text).value());
    const auto answer = stage_.world().answer(*asked.probe);
    asked.text = text + " " + answer;
    asked.expected =
        std::make_unique<Expectation>(stage_.world(), stage_.bench().net(), *asked.probe, answer);
    const auto &flow = asked.probe->flow;
    asked.what = {&stage_.bench().net().host_of(asked.probe->from),
                  {flow.source, stage_.bench().fresh_port()},
                  {flow.destination, flow.destinationPort},
                  flow.protocol};
    script_ += "  0.0 " + asked.text + "\n";
    return asked;
  }

  void judge(Asked &asked) {
    ++asked_;
    if (const auto wrong = asked.expected->check(asked.answer); wrong && wrong_.empty())
      wrong_ = asked.text + ": " + *wrong;
    if (asked.answer.connection && random_.chance(10))
      open_.emplace_back(asked.text, std::move(asked.answer.connection));
  }

  RandomHistory random_;
  Stage stage_;
  std::string what_, script_, wrong_;
  std::vector<std::pair<std::string, UniqueFd>> open_;
  int asked_ = 0;
};

class random_packets : public testing::TestWithParam<std::string> {
protected:
  Plane plane() const {
    for (auto &plane : planes())
      if (plane.name == GetParam())
        return plane;
    return {};
  }
};

TEST_P(random_packets, do_what_the_model_says) {
  const bool one = std::getenv("SLUICE_SEED") != nullptr;
  const unsigned first = number_in("SLUICE_SEED", std::random_device{}());
  const unsigned count = one ? 1 : number_in("SLUICE_SEEDS", 34);
  std::atomic<unsigned> next{0};
  std::atomic<int> asked{0};
  std::mutex mutex; // guards `wrong`
  std::vector<std::string> wrong;
  const auto work = [&] {
    auto bench = Bench::create(plane());
    if (!bench) {
      const std::lock_guard lock(mutex);
      wrong.push_back(bench.error().what());
      return;
    }
    for (auto i = next++; i < count; i = next++) {
      History history(**bench, first + i);
      auto failed = history.run();
      asked += history.asked();
      const std::lock_guard lock(mutex);
      if (!failed.empty())
        wrong.push_back(std::move(failed));
      else if (one)
        std::printf("%s", history.script().c_str());
    }
  };
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < std::min<unsigned>(kBenches, count); ++i)
    workers.emplace_back(work);
  for (auto &worker : workers)
    worker.join();
  for (const auto &history : wrong)
    ADD_FAILURE() << history;
  std::printf("%u histories from seed %u, %d packets through %s\n", count, first, asked.load(),
              GetParam().c_str());
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto &plane : planes())
    out.push_back(plane.name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(dataplanes, random_packets, testing::ValuesIn(names()),
                         [](const auto &name) {
                           auto text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

} // namespace
} // namespace sluice::integration::packets
