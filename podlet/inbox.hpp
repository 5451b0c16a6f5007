#pragma once

#include "net/unique_fd.hpp"

#include <deque>
#include <mutex>
#include <optional>
#include <sys/eventfd.h>

namespace sluice::podlet {

/// A mailbox that poll(2) can wait for beside other descriptors. Many writers, one reader.
/// Thread-safe: `mutex_` guards `queue_`.
template <class Message> class Inbox {
public:
  Inbox() : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  void put(Message message) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(message));
    }
    ::eventfd_write(ready_.get(), 1);
  }
  std::optional<Message> try_take() {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) {
      eventfd_t count = 0;
      ::eventfd_read(ready_.get(), &count);
      return std::nullopt;
    }
    std::optional<Message> message(std::move(queue_.front()));
    queue_.pop_front();
    return message;
  }
  /// Readable while messages are inside.
  int fd() const noexcept { return ready_.get(); }

private:
  UniqueFd ready_;
  std::mutex mutex_;
  std::deque<Message> queue_;
};

} // namespace sluice::podlet
