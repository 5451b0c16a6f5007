#pragma once
// Running other programs from tests, as a person would: the shell, kubectl, ip, nft. Never linked
// into anything that is shipped.

#include <chrono>
#include <functional>
#include <string>

namespace sluice::integration {

struct Output {
  int status = -1;  ///< exit status; 128 + signal; 124 if the deadline passed
  std::string text; ///< stdout and stderr together, in order
  bool ok() const noexcept { return status == 0; }
};

/// Runs `command` by /bin/sh; ends it after `deadline`.
Output shell(const std::string &command, std::chrono::seconds deadline = std::chrono::seconds(30));

/// A command that goes on in the background until `stop`; its output is kept in a file.
class Background {
public:
  explicit Background(const std::string &command);
  ~Background();
  Background(const Background &) = delete;
  Background &operator=(const Background &) = delete;
  /// What it has printed so far.
  std::string text() const;
  /// SIGTERM to it and its children; what it printed.
  std::string stop();

private:
  int pid_ = -1;
  std::string file_;
};

/// Asks again every 50 ms until `done` or the deadline; what `done` said last.
bool eventually(std::chrono::seconds deadline, const std::function<bool()> &done);

/// In single quotes for /bin/sh.
std::string quoted(const std::string &text);

/// SLUICE_KUBECTL, else the kubectl on PATH, else the one that ./dev deps unpacked.
std::string kubectl_program();

} // namespace sluice::integration
