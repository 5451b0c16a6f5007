#include "kube/daemon/signals.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace sluice::kube::daemon {
namespace {

sigset_t heard_signals() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    ::sigaddset(&set, signal);
  return set;
}

sigset_t blocked_signals() noexcept {
  sigset_t set = heard_signals();
  ::sigaddset(&set, SIGPIPE);
  return set;
}

} // namespace

Result<> block_signals() {
  const sigset_t set = blocked_signals();
  if (const int err = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); err != 0)
    return fail(Error::from_errno(err, "block signals"));
  return {};
}

void unblock_signals() noexcept {
  const sigset_t set = blocked_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Result<std::unique_ptr<SignalListener>> SignalListener::start(Callback callback) {
  SLUICE_TRY(block_signals(), "listen to signals");
  const sigset_t set = heard_signals();
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!signals || !stop)
    return fail(Error::from_errno(errno, "listen to signals"));
  return std::unique_ptr<SignalListener>(
      new SignalListener(std::move(signals), std::move(stop), std::move(callback)));
}

SignalListener::SignalListener(UniqueFd signals, UniqueFd stop, Callback callback)
    : signals_(std::move(signals)), stop_(std::move(stop)), callback_(std::move(callback)),
      thread_([this] { run(); }) {}

SignalListener::~SignalListener() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void SignalListener::run() {
  std::array<pollfd, 2> watched{{{signals_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  while (true) {
    if (::poll(watched.data(), watched.size(), -1) < 0)
      continue; // EINTR is all that can be here
    if (watched[1].revents != 0)
      return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) == sizeof info)
      callback_(static_cast<int>(info.ssi_signo));
  }
}

} // namespace sluice::kube::daemon
