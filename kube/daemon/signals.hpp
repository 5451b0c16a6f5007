#pragma once
// Signals as events on a thread, not as interruptions.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <functional>
#include <memory>
#include <thread>

namespace sluice::kube::daemon {

/// Blocks SIGTERM, SIGINT, SIGHUP and SIGPIPE in this thread and in all that it starts later. First
/// thing in main: a thread started before could still be killed by them.
Result<> block_signals();
/// Undoes `block_signals` in this thread; for a child between fork and exec. Async-signal-safe.
void unblock_signals() noexcept;

/// Calls back for SIGTERM, SIGINT and SIGHUP, on a thread of its own, from construction to
/// destruction. Typically the callback puts a message into the agent's Mailbox. One at a time per
/// process: signalfd(2) gives each signal to one reader.
class SignalListener {
public:
  using Callback = std::function<void(int signal)>;
  static Result<std::unique_ptr<SignalListener>> start(Callback callback);
  ~SignalListener();

private:
  SignalListener(UniqueFd signals, UniqueFd stop, Callback callback);
  void run();

  UniqueFd signals_, stop_;
  Callback callback_;
  std::thread thread_;
};

} // namespace sluice::kube::daemon
