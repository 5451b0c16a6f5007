#include "integration/packets/run.hpp"

#include "integration/packets/questions.hpp"

namespace sluice::integration::packets {
namespace {

using namespace std::chrono_literals;
using proxy::cases::kFamilies;
using proxy::cases::Line;
using proxy::cases::Scenario;
using proxy::cases::World;

class Run {
public:
  Run(Bench &bench, const Scenario &scenario, Family as)
      : bench_(bench), scenario_(scenario), world_(as), others_(bench.net().node(), as),
        names_(bench.plane().names) {
    names_.push_back("packets");
  }

  Outcome go() {
    for (const auto &line : proxy::cases::fixture())
      statement(line);
    for (const auto &line : scenario_.lines) {
      line_ = &line;
      if (broken_)
        break;
      if (!line.is_question())
        statement(line);
      else if (!line.is_reference() && line.is_for(names_))
        question(line);
    }
    if (auto done = bench_.net().hold({}); !done)
      failed(done.error().what());
    return std::move(outcome_);
  }

private:
  void failed(const std::string &what) {
    const auto where = line_ ? std::string(scenario_.file) + ":" + std::to_string(line_->number) +
                                   " " + line_->text
                             : scenario_.str();
    outcome_.failures.push_back(where + " [" + std::string(name_of(world_.book().family())) +
                                "]\n    " + what);
  }
  void must(const Result<> &done) {
    if (done)
      return;
    failed(done.error().what());
    broken_ = true;
  }

  void statement(const Line &line) {
    must(world_.change(line));
    if (line.verb == "host") {
      must(others_.add(line.words, world_));
    } else if (line.verb == "wait") {
      sync();
      std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(line.words.at(0))));
    } else if (line.verb == "plane") {
      sync();
      plane(line.words.at(0));
    } else if (line.verb == "node") {
      must(bench_.net().hold(world_.held()));
    } else if (!loads_.empty()) {
      sync(); // each step of a roll-out is one of its own
      std::this_thread::sleep_for(200ms);
    }
  }

  void plane(const std::string &what) {
    if (what == "restart")
      must(bench_.renew());
    for (const auto family : kFamilies)
      if (what == "remove")
        must(bench_.remove(family));
      else
        must(bench_.start(world_.model(family).table()));
    removed_ = what == "remove";
  }

  void sync() {
    if (removed_)
      return;
    for (const auto family : kFamilies) {
      auto &model = world_.model(family);
      const auto change = model.sync();
      if (started_ && change.delta.empty() && change.services.empty())
        continue;
      if (!started_)
        must(bench_.start(model.table()));
      else if (!change.delta.empty())
        must(bench_.apply(family, change.delta));
      if (!broken_)
        must(bench_.flows().after_sync(model, change.services, !started_));
    }
    started_ = true;
  }

  void question(const Line &line) {
    const bool costs = line.verb == "unchanged" || line.verb == "changed" || line.verb == "touches";
    if (costs)
      return; // the model's
    sync();
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
      Questioner questioner(bench_, world_, line, text);
      if (const auto wrong = questioner.put())
        failed(text + ": " + *wrong);
      if (line.verb == "open")
        held_[line.words.at(0)] = std::move(questioner.connection);
      if (questioner.load)
        loads_[line.words.at(0)] = std::move(questioner.load);
    }
  }

  Bench &bench_;
  const Scenario &scenario_;
  World world_;
  Others others_;
  std::vector<std::string> names_;
  const Line *line_ = nullptr;
  std::map<std::string, UniqueFd> held_;
  std::map<std::string, std::unique_ptr<Load>> loads_;
  bool started_ = false, removed_ = false, broken_ = false;
  Outcome outcome_;
};

} // namespace

Result<std::unique_ptr<Bench>> Bench::create(Plane plane) {
  std::unique_ptr<Bench> bench(new Bench(std::move(plane)));
  SLUICE_ASSIGN(bench->net_, Net::create(), "prepare");
  SLUICE_ASSIGN(bench->responder_, Responder::start(*bench->net_), "prepare");
  SLUICE_ASSIGN(bench->flows_, Flows::create(*bench->net_), "prepare");
  SLUICE_TRY(bench->renew(), "prepare");
  return bench;
}

Bench::~Bench() = default;

Result<> Bench::renew() {
  for (const auto family : kFamilies) {
    SLUICE_ASSIGN(dataplanes_[family], plane_.make(family, net_->node()), plane_.name);
  }
  return {};
}

namespace {

/// Another program may hold the lock of the tables.
template <class Call> Result<> patiently(Call call) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  auto done = call();
  while (!done && done.error().code() == Errc::busy &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(2ms);
    done = call();
  }
  return done;
}

} // namespace

Result<> Bench::start(const proxy::Table &table) {
  return patiently([&] { return dataplanes_.at(table.family)->start(table); });
}

Result<> Bench::apply(Family family, const proxy::TableDelta &delta) {
  auto left = delta; // what a busy data plane was given it keeps
  return patiently([&] { return dataplanes_.at(family)->apply(std::exchange(left, {})); });
}

Port Bench::fresh_port() {
  constexpr std::uint16_t kFirst = 10000, kCount = 20000;
  port_ = static_cast<std::uint16_t>((port_ + 1) % kCount);
  return Port(static_cast<std::uint16_t>(kFirst + port_));
}

Outcome run(Bench &bench, const Scenario &scenario, Family as) {
  return Run(bench, scenario, as).go();
}

} // namespace sluice::integration::packets
