// Random histories: whatever Services and EndpointSlices come, change and go, every packet does
// what the model's tracer says in every data plane, all of them show an endpoint the same client,
// affinity keeps a client's endpoint, and no connection that was once made is cut.
// SLUICE_SEED=n begins at that seed, SLUICE_SEEDS=n runs so many from there (10000 by hand).

#include "integration/packets/questions.hpp"
#include "integration/packets/random_history.hpp"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>

namespace sluice::integration::packets {
namespace {

using namespace std::chrono_literals;
using proxy::cases::Line;

/// The neighbours of all of them share the kernel's one table (gc_thresh3: 1024) with whatever else
/// runs on the machine; a full one is silence, or EINVAL over IPv6.
constexpr unsigned kBenches = 8;
constexpr int kQuestions = 10;
/// That an answer comes later is a miss, never a failure: silence is what was expected.
constexpr auto kSilence = 100ms;
/// For an answer: a machine that is busy with other things may leave a thread alone for long.
constexpr auto kPatience = 60s;

unsigned number_in(const char *variable, unsigned otherwise) {
  const char *text = std::getenv(variable);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

/// What the data planes showed in the same history.
class Comparison {
public:
  /// `seen` in answer to `question`; the error says who saw something else.
  Verdict note(const std::string &question, const std::string &seen, const std::string &plane) {
    const auto &[first, inserted] = *seen_.try_emplace(question, seen, plane).first;
    if (inserted.first == seen)
      return std::nullopt;
    return first + ": " + plane + " shows " + seen + ", " + inserted.second + " " + inserted.first;
  }

private:
  std::map<std::string, std::pair<std::string, std::string>> seen_;
};

/// One seed in one data plane.
class History {
public:
  History(Bench &bench, unsigned seed, Comparison &comparison)
      : random_(seed), stage_(bench, random_.family()), comparison_(comparison),
        what_("seed " + std::to_string(seed) + " in " + bench.plane().name + " [" +
              (random_.dual() ? std::string("dual") : std::string(name_of(random_.family()))) +
              "]") {}

  /// Everything that happened up to what went wrong; empty: nothing did.
  std::string run() {
    stage_.leave_flows();
    must(stage_.begin());
    for (auto rounds = random_.rounds(); rounds > 0 && wrong_.empty(); --rounds) {
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
  struct Asked {
    std::string text;
    std::unique_ptr<proxy::cases::Probe> probe;
    std::unique_ptr<Expectation> expected;
    bool sticky = false, keep = false, hasty = false;
    std::chrono::milliseconds patience{0};
    Ask what;
    Answer answer;
  };

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
    if (text == "node holds=-") // connections end with the address
      open_.erase(std::remove_if(open_.begin(), open_.end(),
                                 [](const auto &one) {
                                   return one.first.find("->HVIP:") != std::string::npos;
                                 }),
                  open_.end());
  }

  /// Side by side: some wait for a silence.
  void ask_all() {
    std::vector<Asked> all;
    for (int i = 0; i < kQuestions; ++i)
      all.push_back(prepare(random_.question()));
    std::vector<std::thread> threads;
    for (auto &one : all)
      threads.emplace_back([&one] { one.answer = ask(one.what, one.patience); });
    for (auto &thread : threads)
      thread.join();
    for (auto &one : all)
      judge(one);
  }

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
    asked.sticky = is_sticky(flow);
    // connect(2) hears of a refusal over IPv6 with the second SYN, after a second.
    asked.hasty = answer == "REJECT" && flow.protocol == Protocol::tcp &&
                  flow.source.family() == Family::ipv6 && !random_.chance(10);
    asked.patience = asked.hasty || asked.expected->silence() ? kSilence : kPatience;
    asked.keep = random_.chance(10);
    script_ += "  0.0 " + asked.text + "\n";
    return asked;
  }

  bool is_sticky(const proxy::Flow &flow) {
    auto &model = stage_.world().model(flow.destination.family());
    const auto got = model.explain(flow);
    return got.frontend && got.backends.size() > 1 &&
           model.table().frontends.at(*got.frontend).affinity;
  }

  void judge(Asked &asked) {
    ++asked_;
    std::string reached;
    if (asked.hasty && asked.answer.kind == Answer::Kind::silent)
      return;
    auto wrong = asked.expected->check(asked.answer, &reached);
    if (!wrong)
      wrong = comparison_.note(std::to_string(asked_) + " " + asked.text + " at " + reached,
                               seen_by(asked.answer), stage_.bench().plane().name);
    if (!wrong && asked.sticky)
      wrong = sticks(asked);
    if (wrong && wrong_.empty())
      wrong_ = asked.text + ": " + *wrong;
    if (asked.answer.connection && asked.keep)
      open_.emplace_back(asked.text, std::move(asked.answer.connection));
  }

  static std::string seen_by(const Answer &answer) {
    if (answer.kind != Answer::Kind::answered)
      return "no answer";
    return answer.identity.from.ip == answer.client.ip ? "the client" : "the node";
  }

  /// The client's second question goes where its first went. Those that were asked side by side may
  /// have begun at different endpoints.
  Verdict sticks(const Asked &asked) {
    std::string first, second;
    for (auto *reached : {&first, &second}) {
      auto again = asked.what;
      again.from.port = stage_.bench().fresh_port();
      if (auto wrong = asked.expected->check(ask(again, kPatience), reached))
        return wrong;
    }
    return first == second ? std::nullopt
                           : Verdict("affinity let the client go from " + first + " to " + second);
  }

  RandomHistory random_;
  Stage stage_;
  Comparison &comparison_;
  std::string what_, script_, wrong_;
  std::vector<std::pair<std::string, UniqueFd>> open_;
  int asked_ = 0;
};

std::vector<Plane> possible_planes() {
  std::vector<Plane> possible;
  for (auto &plane : planes())
    if (!plane.missing || !plane.missing())
      possible.push_back(std::move(plane));
  return possible;
}

/// Many benches work through the seeds; in each, the data planes take turns.
class Seeds {
public:
  Seeds(unsigned first, unsigned count) : first_(first), count_(count) {}

  void run() {
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < std::min(number_in("SLUICE_BENCHES", kBenches), count_); ++i)
      workers.emplace_back([this] { work(); });
    for (auto &worker : workers)
      worker.join();
  }
  unsigned differences() const { return differences_; }
  std::size_t asked() const { return asked_; }

private:
  void work() {
    const auto all = possible_planes();
    auto bench = Bench::create(all.front());
    if (!bench)
      return failed(bench.error().what());
    for (auto i = next_++; i < count_; i = next_++) {
      Comparison comparison;
      for (const auto &plane : all) {
        if (auto done = (*bench)->replace(plane); !done)
          return failed(done.error().what());
        history(**bench, first_ + i, comparison);
      }
      progress(i + 1);
    }
  }

  void history(Bench &bench, unsigned seed, Comparison &comparison) {
    History history(bench, seed, comparison);
    const auto wrong = history.run();
    asked_ += static_cast<std::size_t>(history.asked());
    if (!wrong.empty())
      failed(wrong + "\n  again: SLUICE_SEED=" + std::to_string(seed) +
             " SLUICE_SEEDS=1 build/bin/tests/integration_packets_node_tests "
             "--gtest_filter='*random*'");
    else if (count_ == 1)
      std::printf("%s", history.script().c_str());
  }

  void failed(const std::string &what) {
    const std::lock_guard lock(mutex_);
    ++differences_;
    ADD_FAILURE() << what;
  }

  void progress(unsigned done) {
    if (done % 500 != 0)
      return;
    std::printf("seed %u of %u, %zu packets, %u differences\n", done, count_, asked_.load(),
                differences_.load());
    std::fflush(stdout);
  }

  const unsigned first_, count_;
  std::atomic<unsigned> next_{0}, differences_{0};
  std::atomic<std::size_t> asked_{0};
  std::mutex mutex_; // of GoogleTest's results
};

TEST(random_packets, every_data_plane_does_what_the_model_says) {
  ASSERT_FALSE(possible_planes().empty()) << "SLUICE_PLANES names none";
  const auto first = number_in("SLUICE_SEED", std::random_device{}());
  const auto count = number_in("SLUICE_SEEDS", 100);
  Seeds seeds(first, count);
  seeds.run();
  std::string names;
  for (const auto &plane : possible_planes())
    names += " " + plane.name;
  std::printf("%u histories from seed %u, %zu packets, %u differences;%s\n", count, first,
              seeds.asked(), seeds.differences(), names.c_str());
}

} // namespace
} // namespace sluice::integration::packets
