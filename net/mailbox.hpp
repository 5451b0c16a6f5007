#pragma once
// How threads talk: messages by value through a queue. An agent has one loop that takes from one
// mailbox; informers, kernel listeners and sockets put into it from their own threads.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace sluice {

/// Many writers, one reader. Thread-safe: `mutex_` guards `queue_` and `closed_`. Unbounded: a
/// writer that must be held back asks `size()`.
template <class Message> class Mailbox {
public:
  /// False if the mailbox is closed; the message is dropped then.
  bool put(Message message) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      if (closed_)
        return false;
      first = queue_.empty();
      queue_.push_back(std::move(message));
    }
    if (first) // otherwise the one reader has not slept since it was told
      ready_.notify_one();
    return true;
  }

  /// The next message; nothing once `deadline` has passed or the mailbox is closed and empty.
  std::optional<Message> take_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    ready_.wait_until(lock, deadline, [this] { return !queue_.empty() || closed_; });
    return pop();
  }

  /// The next message; nothing once the mailbox is closed and empty.
  std::optional<Message> take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return !queue_.empty() || closed_; });
    return pop();
  }

  /// The next message if one is there now.
  std::optional<Message> try_take() {
    const std::lock_guard lock(mutex_);
    return pop();
  }

  /// Wakes the reader; further messages are refused, those inside can still be taken.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

private:
  std::optional<Message> pop() {
    if (queue_.empty())
      return std::nullopt;
    std::optional<Message> message(std::move(queue_.front()));
    queue_.pop_front();
    return message;
  }

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Message> queue_;
  bool closed_ = false;
};

} // namespace sluice
