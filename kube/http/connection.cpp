#include "kube/http/connection.hpp"

#include <sys/socket.h>

namespace sluice::kube::http {
namespace {

constexpr Connection::Time kNever = Connection::Time::max();
constexpr std::size_t kMaxPieces = 64;
constexpr std::size_t kMaxReadAhead = 64 * 1024; // of a client that sends while it is answered
constexpr std::chrono::milliseconds kLinger{2000};

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

} // namespace

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
    loop_->post(std::move(task));
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
    loop_->post([self = shared_from_this(), flow] {
      if (self->flow_ == flow)
        self->close();
    });
}

// With the flow's mutex held: it is not dead, so the loop still runs.
void Connection::wake(const std::shared_ptr<Flow> &flow) {
  if (!std::exchange(flow->posted, true))
    loop_->post([self = shared_from_this(), flow] { self->send_inbox(flow); });
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

void Connection::close() {
  {
    const std::lock_guard lock(mutex_);
    if (dead_.exchange(true))
      return;
  }
  if (flow_)
    flow_->kill();
  watched_.release();
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
  watched_.wait(what, [self = shared_from_this(), &waits] {
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

} // namespace sluice::kube::http
