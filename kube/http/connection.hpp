#pragma once
// One client of the server, from its first byte to its last.

#include "kube/http/answer.hpp"
#include "kube/http/loop.hpp"
#include "kube/http/parser.hpp"

#include <deque>
#include <mutex>

namespace sluice::kube::http {

using Bytes = std::shared_ptr<const std::string>;

struct Piece {
  Bytes shared; // or, if null:
  std::string own;
  bool counted = false; // a chunk of a stream: its size is in pending_bytes
  std::string_view text() const { return shared ? std::string_view(*shared) : own; }
};

// One chunked answer, between the threads that write it and the connection that sends it.
struct Flow {
  std::mutex mutex; // guards the next five
  std::vector<Bytes> inbox;
  bool closed = false;  // by the writer: no more chunks
  bool aborted = false; // by the writer: cut it
  bool dead = false;    // by the connection: it will send nothing more
  bool posted = false;  // the connection knows that there is something new
  std::atomic<std::size_t> pending_bytes{0};

  void kill() {
    const std::lock_guard lock(mutex);
    dead = true;
    inbox.clear();
  }
};

// One client. `mutex_` guards `dead_` against other threads; all else belongs to the loop's thread.
// `step` is the only engine: it is called whenever something may be possible and does what is.
class Connection : public std::enable_shared_from_this<Connection> {
public:
  using Time = std::chrono::steady_clock::time_point;
  Connection(std::shared_ptr<Loop> loop, Transport transport, SocketAddress peer)
      : loop_(std::move(loop)), transport_(std::move(transport)), peer_(peer),
        watched_(*loop_, transport_.fd()) {}

  void start();
  void begin_stop();
  void close();
  void sweep(Time now) {
    if (now >= deadline_)
      close();
  }

  // From any thread:
  void reply(Response response);
  void begin_stream(Response response, std::shared_ptr<Flow> flow);
  bool write(const std::shared_ptr<Flow> &flow, Bytes chunk);
  void end_stream(const std::shared_ptr<Flow> &flow);
  void abort_stream(const std::shared_ptr<Flow> &flow);

private:
  enum class Phase : std::uint8_t {
    handshake,
    idle,
    reading,
    waiting,
    replying,
    streaming,
    linger
  };

  bool reads_requests() const { return phase_ == Phase::idle || phase_ == Phase::reading; }
  template <class Task> bool run_on_loop(Task task);
  void wake(const std::shared_ptr<Flow> &flow);
  void step();
  bool step_handshake();
  void flush();
  void read_requests();
  void read_ahead();
  void wait(Io::What what);
  void absorb(std::string_view fresh);
  RequestParser::Fed feed(std::string_view input);
  void dispatch();
  void answer(Response response);
  void answer_stream(Response response, std::shared_ptr<Flow> flow);
  void refuse(int status);
  void send_inbox(const std::shared_ptr<Flow> &flow);
  void push_chunk(Bytes chunk);
  void sent(std::size_t count);
  void answer_done();
  /// From now; once the server ends a deadline can only come closer.
  void set_deadline(std::chrono::milliseconds time) {
    set_deadline(std::chrono::steady_clock::now() + time);
  }
  void set_deadline(Time time) { deadline_ = shared().stopping ? std::min(deadline_, time) : time; }
  Shared &shared() { return loop_->shared(); }

  std::shared_ptr<Loop> loop_;
  Transport transport_;
  SocketAddress peer_;
  std::string common_name_;
  std::vector<std::string> organizations_;
  Watched watched_;
  Phase phase_ = Phase::handshake;
  Time deadline_ = Time::max();
  bool in_step_ = false, waits_read_ = false, waits_write_ = false;
  std::unique_ptr<RequestParser> parser_;
  std::string unread_;         // received and not yet parsed
  bool unread_is_new_ = false; // `unread_` has not been offered to a parser since it was cut
  AnswerForm form_;
  std::deque<Piece> outbox_;
  std::size_t front_sent_ = 0; // bytes of outbox_.front() that are out
  std::shared_ptr<Flow> flow_; // while streaming
  bool last_chunk_queued_ = false;

  std::mutex mutex_;
  std::atomic<bool> dead_{false};
};

} // namespace sluice::kube::http
