#include "kube/http/server.hpp"

#include "kube/http/answer.hpp"
#include "kube/http/parser.hpp"
#include "kube/http/socket.hpp"
#include "kube/http/transport.hpp"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <ctime>
#include <deque>
#include <sys/socket.h>
#include <unordered_set>

namespace sluice::kube::http {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Time = std::chrono::steady_clock::time_point;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
using Bytes = std::shared_ptr<const std::string>;

constexpr Time kNever = Time::max();
constexpr std::size_t kReadSize = 64 * 1024;
constexpr std::size_t kMaxPieces = 64;
constexpr std::size_t kMaxReadAhead = 64 * 1024; // of a client that sends while it is answered
constexpr std::chrono::milliseconds kLinger{2000};

class Connection;

// What all connections of one server share. Constant while it runs, but for `stopping`.
struct Shared {
  Server::Handler handler;
  std::shared_ptr<const TlsContext> tls;
  ServerTimeouts timeouts;
  std::size_t body_limit = 0;
  std::atomic<bool> stopping{false};
};

// One io thread and the connections that live on it. Everything but `post` belongs to that thread.
class Loop {
public:
  explicit Loop(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), sweep_(io_), guard_(io_.get_executor()) {}

  asio::io_context &io() noexcept { return io_; }
  Shared &shared() noexcept { return *shared_; }
  bool here() noexcept { return io_.get_executor().running_in_this_thread(); }
  std::span<char> scratch() noexcept { return scratch_; }
  std::string_view date();

  void start(std::function<void()> on_thread);
  void begin_stop();
  void join() { thread_.join(); }
  void add(std::shared_ptr<Connection> connection);
  void remove(const std::shared_ptr<Connection> &connection) { connections_.erase(connection); }

private:
  void sweep_later();
  void sweep();
  std::chrono::milliseconds sweep_interval() const;

  std::shared_ptr<Shared> shared_;
  asio::io_context io_{1};
  asio::steady_timer sweep_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::vector<char> scratch_ = std::vector<char>(kReadSize);
  std::time_t date_at_ = 0;
  std::string date_;
  std::thread thread_;
};

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
  Connection(std::shared_ptr<Loop> loop, Transport transport, SocketAddress peer)
      : loop_(std::move(loop)), transport_(std::move(transport)), peer_(peer),
        descriptor_(loop_->io(), transport_.fd()) {}
  ~Connection() { release(); }

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
  void release();
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
  Descriptor descriptor_;
  Phase phase_ = Phase::handshake;
  Time deadline_ = kNever;
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

class StreamHandle final : public Stream {
public:
  StreamHandle(std::shared_ptr<Connection> connection, std::shared_ptr<Flow> flow)
      : connection_(std::move(connection)), flow_(std::move(flow)) {}
  ~StreamHandle() override { connection_->end_stream(flow_); }
  bool write(Bytes chunk) override { return connection_->write(flow_, std::move(chunk)); }
  std::size_t pending_bytes() const override { return flow_->pending_bytes; }
  void close() override { connection_->end_stream(flow_); }
  void abort() override { connection_->abort_stream(flow_); }

private:
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Flow> flow_;
};

class ExchangeHandle final : public Exchange {
public:
  ExchangeHandle(std::shared_ptr<Connection> connection, Request request)
      : connection_(std::move(connection)), request_(std::move(request)) {}
  ~ExchangeHandle() override {
    if (!answered_.exchange(true))
      connection_->reply({500,
                          "text/plain",
                          {},
                          std::make_shared<const std::string>("the request was not answered\n")});
  }
  const Request &request() const noexcept override { return request_; }
  void reply(Response response) override {
    if (!answered_.exchange(true))
      connection_->reply(std::move(response));
  }
  std::shared_ptr<Stream> begin_stream(Response response) override {
    auto flow = std::make_shared<Flow>();
    if (!answered_.exchange(true))
      connection_->begin_stream(std::move(response), flow);
    else
      flow->kill();
    return std::make_shared<StreamHandle>(connection_, std::move(flow));
  }

private:
  std::shared_ptr<Connection> connection_;
  Request request_;
  std::atomic<bool> answered_{false};
};

// ---- Loop ------------------------------------------------------------------------------------

std::string_view Loop::date() {
  if (const std::time_t now = std::time(nullptr); now != date_at_) {
    date_at_ = now;
    date_ = http_date(now);
  }
  return date_;
}

void Loop::start(std::function<void()> on_thread) {
  asio::post(io_, [this, on_thread = std::move(on_thread)] {
    sweep_later();
    if (on_thread)
      on_thread();
  });
  // Signals are for the main thread.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { io_.run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::chrono::milliseconds Loop::sweep_interval() const {
  using std::chrono::milliseconds;
  const ServerTimeouts &t = shared_->timeouts;
  const milliseconds shortest = std::min({t.handshake, t.request, t.idle, t.stalled});
  return std::clamp(shared_->stopping ? milliseconds(20) : shortest / 4, milliseconds(10),
                    milliseconds(1000));
}

void Loop::sweep_later() {
  sweep_.expires_after(sweep_interval());
  sweep_.async_wait([this](const ErrorCode &) { sweep(); });
}

void Loop::sweep() {
  const Time now = std::chrono::steady_clock::now();
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto &connection : all)
    connection->sweep(now);
  if (!shared_->stopping || !connections_.empty())
    sweep_later();
}

void Loop::begin_stop() {
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto &connection : all)
    connection->begin_stop();
  sweep_.cancel();
  guard_.reset();
}

void Loop::add(std::shared_ptr<Connection> connection) {
  connections_.insert(connection);
  connection->start();
}

// ---- Connection: what other threads call -----------------------------------------------------

/// False if the connection is gone; the task is dropped then.
template <class Task> bool Connection::run_on_loop(Task task) {
  if (loop_->here()) {
    task();
    return true;
  }
  // Nothing is posted after `close`, so nothing can keep a stopped loop alive.
  const std::lock_guard lock(mutex_);
  if (!dead_)
    asio::post(loop_->io(), std::move(task));
  return !dead_;
}

void Connection::reply(Response response) {
  run_on_loop([self = shared_from_this(), response = std::move(response)]() mutable {
    self->answer(std::move(response));
    self->step();
  });
}

void Connection::begin_stream(Response response, std::shared_ptr<Flow> flow) {
  const bool runs =
      run_on_loop([self = shared_from_this(), response = std::move(response), flow]() mutable {
        self->answer_stream(std::move(response), std::move(flow));
        self->step();
      });
  if (!runs)
    flow->kill();
}

bool Connection::write(const std::shared_ptr<Flow> &flow, Bytes chunk) {
  const std::lock_guard lock(flow->mutex);
  if (flow->dead || flow->closed)
    return false;
  if (!chunk || chunk->empty())
    return true; // on the wire an empty chunk would end the body
  flow->pending_bytes += chunk->size();
  flow->inbox.push_back(std::move(chunk));
  wake(flow);
  return true;
}

void Connection::end_stream(const std::shared_ptr<Flow> &flow) {
  const std::lock_guard lock(flow->mutex);
  if (!flow->dead && !std::exchange(flow->closed, true))
    wake(flow);
}

void Connection::abort_stream(const std::shared_ptr<Flow> &flow) {
  const std::lock_guard lock(flow->mutex);
  flow->closed = true;
  if (!std::exchange(flow->aborted, true) && !flow->dead)
    asio::post(loop_->io(), [self = shared_from_this(), flow] {
      if (self->flow_ == flow)
        self->close();
    });
}

// With the flow's mutex held: it is not dead, so the loop still runs.
void Connection::wake(const std::shared_ptr<Flow> &flow) {
  if (!std::exchange(flow->posted, true))
    asio::post(loop_->io(), [self = shared_from_this(), flow] { self->send_inbox(flow); });
}

// ---- Connection: on the loop's thread --------------------------------------------------------

void Connection::start() {
  if (shared().stopping)
    return close();
  if (transport_.tls()) {
    set_deadline(shared().timeouts.handshake);
  } else {
    phase_ = Phase::idle;
    set_deadline(shared().timeouts.idle);
  }
  step();
}

void Connection::begin_stop() {
  set_deadline(shared().timeouts.stop);
  if (phase_ == Phase::streaming)
    end_stream(flow_);
  else if (phase_ != Phase::waiting && phase_ != Phase::replying)
    close();
}

void Connection::release() {
  if (descriptor_.is_open())
    descriptor_.release(); // the transport owns the descriptor
}

void Connection::close() {
  {
    const std::lock_guard lock(mutex_);
    if (dead_.exchange(true))
      return;
  }
  if (flow_)
    flow_->kill();
  release();
  transport_.shutdown();
  transport_.close();
  outbox_.clear();
  loop_->remove(shared_from_this());
}

void Connection::step() {
  if (in_step_ || dead_)
    return;
  const auto self = shared_from_this();
  in_step_ = true;
  if (phase_ != Phase::handshake || step_handshake()) {
    flush();
    read_requests();
    if (phase_ == Phase::streaming || phase_ == Phase::linger)
      read_ahead();
  }
  in_step_ = false;
}

bool Connection::step_handshake() {
  const Io io = transport_.handshake();
  if (io.what == Io::What::want_read || io.what == Io::What::want_write) {
    wait(io.what);
    return false;
  }
  if (io.what == Io::What::bytes) {
    phase_ = Phase::idle;
    set_deadline(shared().timeouts.idle);
    common_name_ = transport_.peer_common_name();
    organizations_ = transport_.peer_organizations();
    return true;
  }
  if (transport_.peer_spoke_http()) {
    constexpr std::string_view kHint = "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks HTTPS.\n";
    ::send(transport_.fd(), kHint.data(), kHint.size(), MSG_NOSIGNAL);
  }
  close();
  return false;
}

void Connection::wait(Io::What what) {
  const bool read = what == Io::What::want_read;
  bool &waits = read ? waits_read_ : waits_write_;
  if (dead_ || std::exchange(waits, true))
    return;
  descriptor_.async_wait(read ? Descriptor::wait_read : Descriptor::wait_write,
                         [self = shared_from_this(), &waits](const ErrorCode &) {
                           waits = false;
                           self->step();
                         });
}

void Connection::flush() {
  while (!outbox_.empty() && !dead_) {
    std::array<std::string_view, kMaxPieces> pieces;
    const std::size_t count = std::min(outbox_.size(), kMaxPieces);
    for (std::size_t i = 0; i < count; ++i)
      pieces[i] = outbox_[i].text();
    pieces[0].remove_prefix(front_sent_);
    const Io io = transport_.write({pieces.data(), count});
    if (io.what == Io::What::bytes) {
      sent(io.count);
      set_deadline(shared().timeouts.stalled);
      continue;
    }
    if (io.what != Io::What::want_read && io.what != Io::What::want_write)
      return close();
    return wait(io.what);
  }
  if (dead_)
    return;
  if (phase_ == Phase::streaming && !last_chunk_queued_)
    set_deadline(kNever); // an idle watch may last for ever
  else if (phase_ == Phase::streaming || phase_ == Phase::replying)
    answer_done();
}

void Connection::sent(std::size_t count) {
  while (count > 0) {
    const Piece &front = outbox_.front();
    const std::size_t part = std::min(count, front.text().size() - front_sent_);
    if (front.counted)
      flow_->pending_bytes -= part;
    count -= part;
    front_sent_ += part;
    if (front_sent_ < front.text().size())
      return;
    front_sent_ = 0;
    outbox_.pop_front();
  }
}

void Connection::answer_done() {
  parser_.reset();
  if (flow_)
    std::exchange(flow_, nullptr)->kill();
  if (form_.keep_alive && !shared().stopping) {
    phase_ = Phase::idle;
    set_deadline(shared().timeouts.idle);
    unread_is_new_ = !unread_.empty();
    return;
  }
  if (shared().stopping)
    return close();
  // Closing with unread input would reset the connection and lose the answer on its way.
  transport_.shutdown();
  ::shutdown(transport_.fd(), SHUT_WR);
  phase_ = Phase::linger;
  set_deadline(kLinger);
}

void Connection::read_requests() {
  while (!dead_ && reads_requests()) {
    if (std::exchange(unread_is_new_, false)) {
      absorb({});
    } else {
      const Io io = transport_.read(loop_->scratch());
      if (io.what == Io::What::bytes)
        absorb({loop_->scratch().data(), io.count});
      else if (io.what == Io::What::want_read || io.what == Io::What::want_write)
        return wait(io.what);
      else
        return close();
    }
    flush();
  }
}

// While an answer streams, input only tells whether the client is still there.
void Connection::read_ahead() {
  while (!dead_ && unread_.size() < kMaxReadAhead) {
    const Io io = transport_.read(loop_->scratch());
    if (io.what == Io::What::want_read || io.what == Io::What::want_write)
      return wait(io.what);
    if (io.what != Io::What::bytes)
      return close();
    if (phase_ == Phase::streaming)
      unread_.append(loop_->scratch().data(), io.count);
  }
}

void Connection::absorb(std::string_view fresh) {
  if (!parser_) {
    parser_ = std::make_unique<RequestParser>(shared().body_limit);
    phase_ = Phase::reading;
    set_deadline(shared().timeouts.request);
  }
  const bool direct = unread_.empty(); // most requests are parsed where they were received
  if (!direct)
    unread_.append(fresh);
  const RequestParser::Fed fed = feed(direct ? fresh : std::string_view(unread_));
  if (direct)
    unread_.assign(fresh.substr(fed.consumed));
  else
    unread_.erase(0, fed.consumed);
  switch (fed.status) {
  case Parsed::complete:
    return dispatch();
  case Parsed::malformed:
    return refuse(400);
  case Parsed::header_too_large:
    return refuse(431);
  case Parsed::body_too_large:
    return refuse(413);
  case Parsed::need_more:
    break;
  }
}

RequestParser::Fed Connection::feed(std::string_view input) {
  RequestParser::Fed total{0, Parsed::need_more};
  while (total.consumed < input.size() && total.status == Parsed::need_more) {
    const bool had_head = parser_->head_complete();
    const RequestParser::Fed fed = parser_->feed(input.substr(total.consumed));
    total = {total.consumed + fed.consumed, fed.status};
    if (!had_head && parser_->head_complete() && fed.status == Parsed::need_more &&
        parser_->expects_continue())
      outbox_.push_back({nullptr, "HTTP/1.1 100 Continue\r\n\r\n"});
    if (fed.consumed == 0)
      break;
  }
  return total;
}

void Connection::dispatch() {
  Request request = std::move(parser_->request());
  request.peer = peer_;
  request.tls = transport_.tls();
  request.clientCommonName = common_name_;
  request.clientOrganizations = organizations_;
  form_ = {parser_->http11(), parser_->keep_alive(), request.method == "HEAD"};
  phase_ = Phase::waiting;
  set_deadline(kNever);
  try {
    shared().handler(std::make_shared<ExchangeHandle>(shared_from_this(), std::move(request)));
  } catch (const std::exception &) {
    // The exchange went with the stack and has answered 500.
  }
}

void Connection::answer(Response response) {
  if (dead_ || phase_ != Phase::waiting)
    return;
  phase_ = Phase::replying;
  outbox_.push_back({nullptr, head_of(response, form_, loop_->date())});
  if (response.body && !response.body->empty() && !form_.head_only &&
      may_have_body(response.status))
    outbox_.push_back({std::move(response.body), {}});
}

void Connection::answer_stream(Response response, std::shared_ptr<Flow> flow) {
  if (dead_ || phase_ != Phase::waiting)
    return flow->kill();
  phase_ = Phase::streaming;
  flow_ = std::move(flow);
  last_chunk_queued_ = false;
  form_.keep_alive = form_.keep_alive && form_.http11;
  outbox_.push_back({nullptr, stream_head_of(response, form_, loop_->date())});
  if (response.body && !response.body->empty()) {
    flow_->pending_bytes += response.body->size();
    push_chunk(std::move(response.body));
  }
  if (shared().stopping)
    begin_stop();
}

void Connection::refuse(int status) {
  phase_ = Phase::waiting;
  form_ = {true, false, false};
  answer({status,
          "text/plain",
          {},
          std::make_shared<const std::string>(std::string(phrase_of(status)) + "\n")});
}

void Connection::push_chunk(Bytes chunk) {
  if (form_.http11)
    outbox_.push_back({nullptr, chunk_prefix(chunk->size())});
  outbox_.push_back({std::move(chunk), {}, true});
  if (form_.http11)
    outbox_.push_back({nullptr, "\r\n"});
}

void Connection::send_inbox(const std::shared_ptr<Flow> &flow) {
  std::vector<Bytes> chunks;
  bool last = false;
  {
    const std::lock_guard lock(flow->mutex);
    flow->posted = false;
    chunks.swap(flow->inbox);
    last = flow->closed;
  }
  if (flow != flow_ || last_chunk_queued_)
    return;
  for (Bytes &chunk : chunks)
    push_chunk(std::move(chunk));
  if (last) {
    if (form_.http11)
      outbox_.push_back({nullptr, std::string(kLastChunk)});
    last_chunk_queued_ = true;
  }
  step();
}

// One listening socket. Lives on the first loop and deals connections out to all.
class Listener : public std::enable_shared_from_this<Listener> {
public:
  Listener(UniqueFd socket, const std::vector<std::shared_ptr<Loop>> &loops)
      : loops_(loops), descriptor_(loops.front()->io(), socket.release()),
        pause_(loops.front()->io()) {}

  void accept();
  void stop() {
    descriptor_.close();
    pause_.cancel();
  }

private:
  void accept_later();
  void take(Accepted accepted);

  std::vector<std::shared_ptr<Loop>> loops_;
  Descriptor descriptor_;
  asio::steady_timer pause_; // out of file descriptors: others must close first
  std::size_t next_ = 0;
};

void Listener::accept() {
  constexpr int kBurst = 64;
  for (int i = 0; i < kBurst && descriptor_.is_open(); ++i) {
    auto accepted = accept_from(descriptor_.native_handle());
    if (accepted)
      take(std::move(*accepted));
    else if (accepted.error().code() == Errc::exhausted)
      return accept_later();
    else if (accepted.error().code() == Errc::busy)
      break;
  }
  if (descriptor_.is_open())
    descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const ErrorCode &e) {
      if (!e)
        self->accept();
    });
}

void Listener::accept_later() {
  pause_.expires_after(std::chrono::milliseconds(100));
  pause_.async_wait([self = shared_from_this()](const ErrorCode &e) {
    if (!e)
      self->accept();
  });
}

void Listener::take(Accepted accepted) {
  const std::shared_ptr<Loop> &loop = loops_[next_++ % loops_.size()];
  const auto &tls = loop->shared().tls;
  Transport transport =
      tls ? Transport(std::move(accepted.socket), tls, "") : Transport(std::move(accepted.socket));
  auto connection = std::make_shared<Connection>(loop, std::move(transport), accepted.peer);
  if (loop->here())
    return loop->add(std::move(connection));
  asio::post(loop->io(), [loop, connection = std::move(connection)]() mutable {
    loop->add(std::move(connection));
  });
}

Result<std::vector<UniqueFd>> open_listeners(ServerOptions &options) {
  std::vector<UniqueFd> sockets;
  for (const SocketAddress &address : options.listen) {
    SLUICE_ASSIGN(UniqueFd socket, listen_on(address), "start the server");
    sockets.push_back(std::move(socket));
  }
  for (UniqueFd &socket : options.sockets) {
    SLUICE_TRY(adopt_listener(socket), "start the server");
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

} // namespace

struct Server::Impl {
  std::shared_ptr<Shared> shared;
  std::vector<std::shared_ptr<Loop>> loops;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<SocketAddress> addresses;

  void stop() {
    shared->stopping = true;
    asio::post(loops.front()->io(), [this] {
      for (const auto &listener : listeners)
        listener->stop();
      // The other loops only now: no connection is dealt out to them any more.
      for (const auto &loop : loops)
        asio::post(loop->io(), [loop] { loop->begin_stop(); });
    });
    for (const auto &loop : loops)
      loop->join();
  }
};

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
  auto impl = std::make_unique<Impl>();
  impl->shared = std::make_shared<Shared>();
  impl->shared->handler = std::move(handler);
  impl->shared->timeouts = options.timeouts;
  impl->shared->body_limit = options.bodyLimitBytes;
  if (options.tls) {
    const TlsFiles &files = *options.tls;
    SLUICE_ASSIGN(impl->shared->tls,
                  TlsContext::server({files.certificateFile, files.keyFile, files.clientCaFile}),
                  "start the server");
  }
  SLUICE_ASSIGN(std::vector<UniqueFd> sockets, open_listeners(options), "listen");
  for (unsigned i = 0; i < std::max(options.threads, 1U); ++i)
    impl->loops.push_back(std::make_shared<Loop>(impl->shared));
  for (UniqueFd &socket : sockets) {
    SLUICE_ASSIGN(const SocketAddress address, local_address(socket), "start the server");
    impl->addresses.push_back(address);
    impl->listeners.push_back(std::make_shared<Listener>(std::move(socket), impl->loops));
  }
  for (std::size_t i = 0; i < impl->loops.size(); ++i)
    impl->loops[i]->start(i == 0 ? [listeners = impl->listeners] {
      for (const auto &listener : listeners)
        listener->accept();
    } : std::function<void()>());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }
const std::vector<SocketAddress> &Server::addresses() const noexcept { return impl_->addresses; }

} // namespace sluice::kube::http
