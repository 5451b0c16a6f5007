#include "proxy/health_ports.hpp"

#include "kube/http/parser.hpp"
#include "kube/http/socket.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace sluice::proxy {
namespace {

using Time = std::chrono::steady_clock;
namespace http = kube::http;

constexpr std::size_t kBodyLimitBytes = 64 * 1024;
constexpr std::size_t kMostConnections = 512;

/// Who is asked about on one listening socket.
struct Subject {
  kube::ObjectKey service;
  ServiceHealth health;
};

struct Connection {
  UniqueFd fd;
  Subject subject;
  Time::time_point deadline;
  http::RequestParser parser{kBodyLimitBytes};
  std::string input, output;
  bool answered = false; ///< what comes now is only waited out
};

std::string response(const Subject &subject, bool healthy, bool with_body) {
  const auto answer = service_health_answer(subject.service, subject.health, healthy);
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                     std::string(http::phrase_of(answer.status)) +
                     "\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
                     "X-Load-Balancing-Endpoint-Weight: " +
                     std::to_string(answer.weight) +
                     "\r\nContent-Length: " + std::to_string(answer.body.size()) +
                     "\r\nConnection: close\r\n\r\n";
  return with_body ? text + answer.body : text;
}

std::string refusal(int status) {
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(http::phrase_of(status)) +
         "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}

int status_of(http::Parsed parsed) {
  if (parsed == http::Parsed::header_too_large)
    return 431;
  return parsed == http::Parsed::body_too_large ? 413 : 400;
}

} // namespace

/// The thread's own: sockets and connections.
class HealthPorts::Loop {
public:
  explicit Loop(HealthPorts &owner) : owner_(owner) {}

  void run() {
    while (take_orders()) {
      if (retry_at_ && Time::now() >= *retry_at_)
        listen();
      wait();
      serve();
      drop_the_late();
    }
  }

private:
  /// False: the end.
  bool take_orders() {
    std::map<Family, HealthPortsWanted> coming;
    {
      const std::lock_guard lock(owner_.mutex_);
      if (owner_.stopping_)
        return false;
      coming.swap(owner_.coming_);
    }
    for (auto &[family, wanted] : coming)
      wanted_.insert_or_assign(family, std::move(wanted));
    if (!coming.empty())
      listen();
    return true;
  }

  /// Closes what is not wanted, then opens what is missing.
  void listen() {
    std::map<SocketAddress, Subject> subjects;
    for (const auto &[family, wanted] : wanted_)
      for (const auto &[service, health] : wanted.services)
        for (const auto &ip : wanted.addresses)
          subjects.try_emplace({ip, health.port}, Subject{service, health});
    std::erase_if(listeners_, [&](const auto &one) { return subjects.count(one.first) == 0; });
    std::erase_if(told_, [&](const auto &address) { return subjects.count(address) == 0; });
    retry_at_.reset();
    for (const auto &[address, subject] : subjects)
      if (listeners_.count(address) == 0)
        open(address, subject);
    subjects_ = std::move(subjects);
  }

  void open(const SocketAddress &address, const Subject &subject) {
    auto socket = http::listen_on(address);
    if (socket) {
      listeners_.emplace(address, std::move(*socket));
      told_.erase(address);
      return;
    }
    retry_at_ = Time::now() + owner_.options_.retry;
    if (told_.insert(address).second)
      owner_.options_.failed(subject.service, socket.error());
  }

  void wait() {
    polled_ = {{owner_.wake_.get(), POLLIN, 0}};
    const short accepting = connections_.size() < kMostConnections ? POLLIN : 0;
    for (const auto &[address, fd] : listeners_)
      polled_.push_back({fd.get(), accepting, 0});
    auto earliest = retry_at_;
    for (const auto &one : connections_) {
      polled_.push_back(
          {one->fd.get(), static_cast<short>(one->output.empty() ? POLLIN : POLLOUT), 0});
      earliest = earliest ? std::min(*earliest, one->deadline) : one->deadline;
    }
    ::poll(polled_.data(), polled_.size(), milliseconds_until(earliest));
  }

  static int milliseconds_until(const std::optional<Time::time_point> &time) {
    if (!time)
      return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*time - Time::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }

  void serve() {
    std::uint64_t ignored = 0;
    if (polled_.front().revents != 0) [[maybe_unused]]
      const auto got = ::read(owner_.wake_.get(), &ignored, sizeof ignored);
    std::size_t at = 1 + listeners_.size();
    for (auto &one : connections_)
      if (polled_[at++].revents != 0 && !advance(*one))
        one.reset();
    std::erase(connections_, nullptr);
    at = 1;
    for (const auto &[address, fd] : listeners_)
      if (polled_[at++].revents != 0)
        accept(address, fd.get());
  }

  void accept(const SocketAddress &address, int listener) {
    while (connections_.size() < kMostConnections) {
      auto accepted = http::accept_from(listener);
      if (!accepted)
        return;
      auto one = std::make_unique<Connection>();
      one->fd = std::move(accepted->socket);
      one->subject = subjects_.at(address);
      one->deadline = Time::now() + owner_.options_.patience;
      connections_.push_back(std::move(one));
    }
  }

  /// Reads or writes as far as it goes without waiting. False: it is over.
  bool advance(Connection &one) { return one.output.empty() ? receive(one) : send(one); }

  bool receive(Connection &one) {
    std::array<char, 4096> buffer{};
    const auto got = ::recv(one.fd.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      return got < 0 && (errno == EAGAIN || errno == EINTR);
    if (one.answered)
      return true;
    one.input.append(buffer.data(), static_cast<std::size_t>(got));
    const auto fed = one.parser.feed(one.input);
    one.input.erase(0, fed.consumed);
    if (fed.status == http::Parsed::need_more && !one.parser.expects_continue())
      return true;
    // A body does not change the answer: whoever asks before sending it gets the answer instead.
    if (fed.status == http::Parsed::complete || fed.status == http::Parsed::need_more)
      one.output =
          response(one.subject, owner_.options_.healthy(), one.parser.request().method != "HEAD");
    else
      one.output = refusal(status_of(fed.status));
    one.answered = true;
    return send(one);
  }

  /// Then waits for the other side to close: closing first would take back what is on its way.
  static bool send(Connection &one) {
    const auto sent = ::send(one.fd.get(), one.output.data(), one.output.size(), MSG_NOSIGNAL);
    if (sent < 0)
      return errno == EAGAIN || errno == EINTR;
    one.output.erase(0, static_cast<std::size_t>(sent));
    if (one.output.empty())
      ::shutdown(one.fd.get(), SHUT_WR);
    return true;
  }

  void drop_the_late() {
    const auto now = Time::now();
    std::erase_if(connections_, [&](const auto &one) { return now >= one->deadline; });
  }

  HealthPorts &owner_;
  std::map<Family, HealthPortsWanted> wanted_;
  std::map<SocketAddress, Subject> subjects_;
  std::map<SocketAddress, UniqueFd> listeners_;
  std::set<SocketAddress> told_; ///< cannot be had, and somebody knows
  std::optional<Time::time_point> retry_at_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<pollfd> polled_; ///< wake, listeners, connections
};

Result<std::unique_ptr<HealthPorts>> HealthPorts::start(Options options) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake)
    return fail(Error::from_errno(errno, "eventfd for the health check ports"));
  return std::unique_ptr<HealthPorts>(new HealthPorts(std::move(wake), std::move(options)));
}

HealthPorts::HealthPorts(UniqueFd wake, Options options)
    : wake_(std::move(wake)), options_(std::move(options)), thread_([this] { Loop(*this).run(); }) {
}

HealthPorts::~HealthPorts() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void HealthPorts::set(HealthPortsWanted wanted) {
  {
    const std::lock_guard lock(mutex_);
    coming_.insert_or_assign(wanted.family, std::move(wanted));
  }
  ::eventfd_write(wake_.get(), 1);
}

} // namespace sluice::proxy
