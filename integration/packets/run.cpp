#include "integration/packets/run.hpp"

#include "integration/packets/questions.hpp"
#include "integration/packets/sockets.hpp"

namespace sluice::integration::packets {
namespace {

using namespace std::chrono_literals;
using proxy::cases::Line;
using proxy::cases::Scenario;

class Run {
public:
  Run(Bench &bench, const Scenario &scenario, Family as)
      : stage_(bench, as), scenario_(scenario), names_(bench.plane().names) {
    names_.push_back("packets");
  }

  Outcome go() {
    must(stage_.begin());
    for (const auto &line : scenario_.lines) {
      line_ = &line;
      if (broken_)
        break;
      if (!line.is_question())
        statement(line);
      else if (!line.is_reference() && line.is_for(names_))
        question(line);
    }
    line_ = nullptr;
    must(stage_.end());
    return std::move(outcome_);
  }

private:
  void failed(const std::string &what) {
    const auto where = line_ ? std::string(scenario_.file) + ":" + std::to_string(line_->number) +
                                   " " + line_->text
                             : scenario_.str();
    outcome_.failures.push_back(
        where + " [" + std::string(name_of(stage_.world().book().family())) + "]\n    " + what);
  }
  void must(const Result<> &done) {
    if (done)
      return;
    failed(done.error().what());
    broken_ = true;
  }

  void statement(const Line &line) {
    must(stage_.obey(line));
    if (loads_.empty())
      return;
    must(stage_.sync()); // each step of a roll-out is one of its own
    std::this_thread::sleep_for(200ms);
  }

  void question(const Line &line) {
    const bool costs = line.verb == "unchanged" || line.verb == "changed" || line.verb == "touches";
    if (costs)
      return; // the model's
    must(stage_.sync());
    if (broken_)
      return;
    outcome_.answered.insert(outcome_.answered.end(), line.cases.begin(), line.cases.end());
    if (line.verb == "goes-on") {
      if (!echoes(held_[line.words.at(0)].get(), "still here"))
        failed("the connection is dead");
      return;
    }
    if (line.verb == "no-failure") {
      if (const auto why = loads_.at(line.words.at(0))->stop(); !why.empty())
        failed(why);
      loads_.clear();
      return;
    }
    for (const auto &text : line.questions) {
      Questioner questioner(stage_.bench(), stage_.world(), line, text);
      if (line.verb == "beside")
        questioner.port = local_of(held_.at(line.words.at(0)).get()).port;
      if (const auto wrong = questioner.put())
        failed(text + ": " + *wrong);
      if (line.verb == "open")
        held_[line.words.at(0)] = std::move(questioner.connection);
      if (questioner.load)
        loads_[line.words.at(0)] = std::move(questioner.load);
    }
  }

  Stage stage_;
  const Scenario &scenario_;
  std::vector<std::string> names_;
  const Line *line_ = nullptr;
  std::map<std::string, UniqueFd> held_;
  std::map<std::string, std::unique_ptr<Load>> loads_;
  bool broken_ = false;
  Outcome outcome_;
};

} // namespace

Outcome run(Bench &bench, const Scenario &scenario, Family as) {
  return Run(bench, scenario, as).go();
}

} // namespace sluice::integration::packets
