#pragma once
// The server's io threads. Boost.Asio is in loop.cpp, and nowhere else.

#include "kube/http/server.hpp"
#include "kube/http/transport.hpp"

#include <atomic>
#include <span>

namespace sluice::kube::http {

class Connection;

// What all connections of one server share. Constant while it runs, but for `stopping`.
struct Shared {
  Server::Handler handler;
  std::shared_ptr<const TlsContext> tls;
  ServerTimeouts timeouts;
  std::size_t body_limit = 0;
  std::atomic<bool> stopping{false};
};

/// One io thread and the connections that live on it. `post`, `begin_stop` and `join` may be called
/// from any thread, everything else from that thread only.
class Loop {
public:
  explicit Loop(std::shared_ptr<Shared> shared);
  ~Loop();

  Shared &shared() noexcept { return *shared_; }
  /// This is the loop's thread.
  bool here() noexcept;
  void post(std::function<void()> task);
  void after(std::chrono::milliseconds delay, std::function<void()> task);
  /// To read into; its content is good until the next read.
  std::span<char> scratch() noexcept { return scratch_; }
  /// The Date header of now.
  std::string_view date();

  void add(std::shared_ptr<Connection> connection);
  void remove(const std::shared_ptr<Connection> &connection);

  void start();
  /// Ends the connections; the thread ends with the last of them.
  void begin_stop();
  void join();

private:
  friend class Watched;
  struct Impl;
  void sweep();
  void sweep_later();
  std::chrono::milliseconds sweep_interval() const;

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Impl> impl_;
  std::vector<char> scratch_;
  std::time_t date_at_ = 0;
  std::string date_;
};

/// A descriptor, owned by somebody else, whose readiness is waited for. On the loop's thread.
class Watched {
public:
  Watched(Loop &loop, int fd);
  ~Watched();
  /// Calls back once, also if the watching ends before.
  void wait(Io::What what, std::function<void()> callback);
  /// Ends the watching; the descriptor stays open.
  void release();

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube::http
