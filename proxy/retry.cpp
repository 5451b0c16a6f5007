#include "proxy/retry.hpp"

namespace sluice::proxy {

Retry::Retry(std::function<bool()> attempt, std::chrono::milliseconds interval)
    : attempt_(std::move(attempt)), interval_(interval), thread_([this] { run(); }) {}

Retry::~Retry() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Retry::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    lock.unlock();
    if (attempt_())
      return;
    lock.lock();
  }
}

} // namespace sluice::proxy
