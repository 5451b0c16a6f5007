#pragma once
// How each kind of question is put, and what is expected of the answers.

#include "integration/packets/run.hpp"

#include <atomic>

namespace sluice::integration::packets {

/// Nothing: as expected; else what was wrong.
using Verdict = std::optional<std::string>;

/// An answer of the table, ready to be compared with one that came.
class Expectation {
public:
  Expectation(const proxy::cases::World &world, const Net &net, const proxy::cases::Probe &probe,
              const std::string &answer);
  /// `reached` is told the name of the endpoint, if it was one.
  Verdict check(const Answer &answer, std::string *reached = nullptr) const;
  bool silence() const noexcept { return text_ == "DROP"; }
  std::chrono::milliseconds patience() const noexcept;
  /// How many endpoints; 0: none answers.
  std::size_t size() const noexcept { return endpoints_.size(); }
  bool untouched() const noexcept { return text_ == "none"; }
  const std::vector<proxy::cases::Reached> &endpoints() const noexcept { return endpoints_; }

private:
  Verdict check_answered(const Answer &answer, std::string *reached) const;
  const proxy::cases::World &world_;
  const Net &net_;
  const proxy::cases::Probe &probe_;
  std::string said_, text_; ///< as the table has it, and with every name
  std::vector<proxy::cases::Reached> endpoints_;
};

/// Connections every 50 ms, until it is asked how they went.
class Load {
public:
  Load(Ask what);
  ~Load();
  /// Stops it. "": all went well.
  std::string stop();
  Load(const Load &) = delete;
  Load &operator=(const Load &) = delete;

private:
  Ask ask_;
  std::atomic<bool> done_{false};
  std::string failure_; // the thread's own until it is joined
  int count_ = 0;
  std::thread thread_;
};

/// Puts one question of one line.
class Questioner {
public:
  Questioner(Bench &bench, const proxy::cases::World &world, const proxy::cases::Line &line,
             const std::string &question);

  Verdict put(); ///< as the line's verb says
  /// For `beside`: the source port of each packet.
  std::optional<Port> port;
  /// For `open`: the connection; for `load`: the load.
  UniqueFd connection;
  std::unique_ptr<Load> load;

private:
  Ask fresh(int client = -1);
  Verdict plain();
  Verdict sample();
  Verdict one(std::chrono::milliseconds limit = std::chrono::milliseconds::max());
  Verdict balanced();
  Verdict shuffled();
  Verdict moves();
  Verdict ends(char how);
  Verdict sticks();
  Verdict forgets();
  Verdict remembers();
  Verdict ask_clients(std::vector<std::string> &reached, bool backwards = false);
  /// The first so many of them, each in a thread of its own.
  Verdict ask_at_once(std::vector<std::string> &reached, int clients);
  std::chrono::seconds affinity() const;

  Bench &bench_;
  const proxy::cases::World &world_;
  const proxy::cases::Line &line_;
  std::string question_;
  Result<proxy::cases::Probe> probe_;
  std::optional<Expectation> expected_;
};

} // namespace sluice::integration::packets
