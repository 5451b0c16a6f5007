#pragma once
// Threads that answer requests, so that the server's own threads only move bytes.

#include "net/mailbox.hpp"

#include <functional>
#include <thread>
#include <vector>

namespace sluice::controlplane {

/// Writers wait here for the disk together: their number is the size of a group commit.
class Workers {
public:
  using Task = std::function<void()>;
  explicit Workers(unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      threads_.emplace_back([this] {
        while (auto task = tasks_.take())
          (*task)();
      });
  }
  /// Tasks that wait are still run.
  ~Workers() {
    tasks_.close();
    for (auto &thread : threads_)
      thread.join();
  }
  void run(Task task) { tasks_.put(std::move(task)); }

private:
  Mailbox<Task> tasks_;
  std::vector<std::thread> threads_;
};

} // namespace sluice::controlplane
