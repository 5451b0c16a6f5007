#include "kube/http/loop.hpp"

#include "kube/http/answer.hpp"
#include "kube/http/connection.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <ctime>
#include <unordered_set>

namespace sluice::kube::http {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

constexpr std::size_t kReadSize = 64 * 1024;

} // namespace

struct Loop::Impl {
  asio::io_context io{1};
  asio::steady_timer sweep{io};
  asio::executor_work_guard<Executor> guard{io.get_executor()};
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::thread thread;

  std::vector<std::shared_ptr<Connection>> all() const {
    return {connections.begin(), connections.end()};
  }
};

Loop::Loop(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)), impl_(std::make_unique<Impl>()), scratch_(kReadSize) {}
Loop::~Loop() = default;

bool Loop::here() noexcept { return impl_->io.get_executor().running_in_this_thread(); }

void Loop::post(std::function<void()> task) { asio::post(impl_->io, std::move(task)); }

void Loop::after(std::chrono::milliseconds delay, std::function<void()> task) {
  auto timer = std::make_unique<asio::steady_timer>(impl_->io, delay);
  asio::steady_timer &waits = *timer;
  waits.async_wait(
      [timer = std::move(timer), task = std::move(task)](const ErrorCode &) { task(); });
}

std::string_view Loop::date() {
  if (const std::time_t now = std::time(nullptr); now != date_at_) {
    date_at_ = now;
    date_ = http_date(now);
  }
  return date_;
}

void Loop::start() {
  post([this] { sweep_later(); });
  // Signals are for the main thread.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([this] { impl_->io.run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loop::join() { impl_->thread.join(); }

std::chrono::milliseconds Loop::sweep_interval() const {
  using std::chrono::milliseconds;
  const ServerTimeouts &t = shared_->timeouts;
  const milliseconds shortest = std::min({t.handshake, t.request, t.idle, t.stalled});
  return std::clamp(shared_->stopping ? milliseconds(20) : shortest / 4, milliseconds(10),
                    milliseconds(1000));
}

void Loop::sweep_later() {
  impl_->sweep.expires_after(sweep_interval());
  impl_->sweep.async_wait([this](const ErrorCode &) { sweep(); });
}

void Loop::sweep() {
  const auto now = std::chrono::steady_clock::now();
  for (const auto &connection : impl_->all())
    connection->sweep(now);
  if (!shared_->stopping || !impl_->connections.empty())
    sweep_later();
}

void Loop::begin_stop() {
  post([this] {
    for (const auto &connection : impl_->all())
      connection->begin_stop();
    impl_->sweep.cancel();
    impl_->guard.reset();
  });
}

void Loop::add(std::shared_ptr<Connection> connection) {
  impl_->connections.insert(connection);
  connection->start();
}

void Loop::remove(const std::shared_ptr<Connection> &connection) {
  impl_->connections.erase(connection);
}

struct Watched::Impl {
  Descriptor descriptor;
};

Watched::Watched(Loop &loop, int fd)
    : impl_(std::make_unique<Impl>(Impl{Descriptor(loop.impl_->io, fd)})) {}
Watched::~Watched() { release(); }

void Watched::wait(Io::What what, std::function<void()> callback) {
  impl_->descriptor.async_wait(what == Io::What::want_read ? Descriptor::wait_read
                                                           : Descriptor::wait_write,
                               [callback = std::move(callback)](const ErrorCode &) { callback(); });
}

void Watched::release() {
  if (impl_->descriptor.is_open())
    impl_->descriptor.release();
}

} // namespace sluice::kube::http
