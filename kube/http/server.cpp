#include "kube/http/server.hpp"

#include "kube/http/connection.hpp"
#include "kube/http/loop.hpp"
#include "kube/http/socket.hpp"

namespace sluice::kube::http {
namespace {

// One listening socket. Lives on the first loop and deals connections out to all.
class Listener : public std::enable_shared_from_this<Listener> {
public:
  Listener(UniqueFd socket, const std::vector<std::shared_ptr<Loop>> &loops)
      : loops_(loops), socket_(std::move(socket)), watched_(*loops.front(), socket_.get()) {}

  void accept();
  void stop() {
    watched_.release();
    socket_.reset();
  }

private:
  void take(Accepted accepted);

  std::vector<std::shared_ptr<Loop>> loops_;
  UniqueFd socket_; // none: stopped
  Watched watched_;
  std::size_t next_ = 0;
};

void Listener::accept() {
  constexpr int kBurst = 64;
  constexpr std::chrono::milliseconds kPause{100};
  for (int i = 0; i < kBurst && socket_; ++i) {
    auto accepted = accept_from(socket_.get());
    if (accepted)
      take(std::move(*accepted));
    else if (accepted.error().code() == Errc::exhausted) // others must close first
      return loops_.front()->after(kPause, [self = shared_from_this()] { self->accept(); });
    else if (accepted.error().code() == Errc::busy)
      break;
  }
  if (socket_)
    watched_.wait(Io::What::want_read, [self = shared_from_this()] { self->accept(); });
}

void Listener::take(Accepted accepted) {
  const std::shared_ptr<Loop> &loop = loops_[next_++ % loops_.size()];
  const auto &tls = loop->shared().tls;
  Transport transport =
      tls ? Transport(std::move(accepted.socket), tls, "") : Transport(std::move(accepted.socket));
  auto connection = std::make_shared<Connection>(loop, std::move(transport), accepted.peer);
  if (loop->here())
    return loop->add(std::move(connection));
  loop->post([loop, connection] { loop->add(connection); });
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
    loops.front()->post([this] {
      for (const auto &listener : listeners)
        listener->stop();
      // The other loops only now: no connection is dealt out to them any more.
      for (const auto &loop : loops)
        loop->begin_stop();
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
  for (const auto &loop : impl->loops)
    loop->start();
  impl->loops.front()->post([listeners = impl->listeners] {
    for (const auto &listener : listeners)
      listener->accept();
  });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }
const std::vector<SocketAddress> &Server::addresses() const noexcept { return impl_->addresses; }

} // namespace sluice::kube::http
