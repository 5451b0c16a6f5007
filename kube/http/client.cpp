#include "kube/http/client.hpp"

#include "kube/http/socket.hpp"

#include <array>
#include <cerrno>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace sluice::kube::http {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kConnectTimeout = 10s;
constexpr auto kHandshakeTimeout = 10s;

struct AddressListFree {
  void operator()(addrinfo *list) const noexcept { ::freeaddrinfo(list); }
};

Result<std::vector<SocketAddress>> resolve(const ServerUrl &url) {
  if (const auto literal = IpAddress::parse(url.host))
    return std::vector<SocketAddress>{{*literal, Port(url.port)}};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *raw = nullptr;
  const int error = ::getaddrinfo(url.host.c_str(), nullptr, &hints, &raw);
  const std::unique_ptr<addrinfo, AddressListFree> list(raw);
  if (error != 0)
    return fail(Errc::unavailable,
                "look up \"" + url.host + "\": " + std::string(::gai_strerror(error)));
  std::vector<SocketAddress> found;
  for (const addrinfo *at = list.get(); at; at = at->ai_next) {
    const bool v4 = at->ai_family == AF_INET;
    const void *bytes =
        v4 ? static_cast<const void *>(&reinterpret_cast<sockaddr_in *>(at->ai_addr)->sin_addr)
           : &reinterpret_cast<sockaddr_in6 *>(at->ai_addr)->sin6_addr;
    const std::span<const std::uint8_t> span(static_cast<const std::uint8_t *>(bytes),
                                             v4 ? 4U : 16U);
    found.push_back({IpAddress::from_bytes(span), Port(url.port)});
  }
  return found;
}

Result<> wait_for(int fd, short events, Deadline deadline, StopFlag stop) {
  while (true) {
    if (stop && *stop)
      return fail(Errc::busy, "stopped");
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left <= 0ms)
      return fail(Errc::timeout, "no answer in time");
    left = std::min<std::chrono::milliseconds>(left, stop && stop->fd() < 0 ? 50ms : 60000ms);
    std::array watched{pollfd{fd, events, 0}, pollfd{stop ? stop->fd() : -1, POLLIN, 0}};
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(left.count()));
    if (ready > 0 && watched.front().revents != 0)
      return {};
    if (ready < 0 && errno != EINTR)
      return fail(Error::from_errno(errno, "poll"));
  }
}

Result<UniqueFd> connect_to(const SocketAddress &address, Deadline deadline, StopFlag stop) {
  SLUICE_ASSIGN(UniqueFd socket, begin_connect(address), "open a connection");
  const std::string doing = "connect to " + address.str();
  SLUICE_TRY(wait_for(socket.get(), POLLOUT, deadline, stop), doing);
  SLUICE_TRY(connect_result(socket), address.str());
  return socket;
}

Result<UniqueFd> connect_to_any(const ServerUrl &url, Deadline deadline, StopFlag stop) {
  SLUICE_ASSIGN(const std::vector<SocketAddress> addresses, resolve(url), "connect");
  Error last(Errc::unavailable, "\"" + url.host + "\" has no address");
  for (const SocketAddress &address : addresses) {
    auto socket = connect_to(address, std::min(deadline, Clock::now() + kConnectTimeout), stop);
    if (socket)
      return socket;
    last = std::move(socket.error());
  }
  return fail(std::move(last));
}

std::string head_text(const ClientRequest &request, const ServerUrl &url) {
  std::string head;
  head.reserve(512);
  head.append(request.method).append(" ").append(url.prefix).append(request.target);
  head.append(" HTTP/1.1\r\nHost: ").append(url.authority()).append("\r\n");
  for (const auto &[name, value] : request.headers)
    head.append(name).append(": ").append(value).append("\r\n");
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  return head.append("\r\n");
}

} // namespace

bool ServerUrl::is_loopback() const {
  const auto ip = IpAddress::parse(host);
  return ip ? ip->is_loopback() : host == "localhost";
}

std::string ServerUrl::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ServerUrl> parse_server_url(const std::string &url) {
  const std::string doing = "server \"" + url + "\"";
  ServerUrl result;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    result.tls = false;
    result.port = 80;
  } else {
    return fail(Errc::invalid_input, doing + ": must begin with https:// or http://");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view host = rest.substr(0, slash);
  result.prefix = std::string(rest.substr(slash));
  while (result.prefix.ends_with('/'))
    result.prefix.pop_back();
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    SLUICE_ASSIGN(const Port port, parse_port(host.substr(colon + 1)), doing);
    result.port = port.value;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of(" @[]\r\n") != std::string_view::npos)
    return fail(Errc::invalid_input, doing + ": has no host name or address");
  result.host = std::string(host);
  return result;
}

Result<std::unique_ptr<ClientConnection>>
ClientConnection::open(const ServerUrl &url, const std::shared_ptr<const TlsContext> &tls,
                       const std::string &tls_name, Deadline deadline, StopFlag stop) {
  SLUICE_ASSIGN(UniqueFd socket, connect_to_any(url, deadline, stop), "connect");
  Transport transport =
      url.tls ? Transport(std::move(socket), tls, tls_name) : Transport(std::move(socket));
  std::unique_ptr<ClientConnection> connection(new ClientConnection(std::move(transport)));
  connection->url_ = url;
  SLUICE_TRY(connection->shake_hands(std::min(deadline, Clock::now() + kHandshakeTimeout), stop),
             "connect to " + url.authority());
  return connection;
}

Result<> ClientConnection::wait(Io::What what, Deadline deadline, StopFlag stop) const {
  return wait_for(transport_.fd(), what == Io::What::want_read ? POLLIN : POLLOUT, deadline, stop);
}

Result<> ClientConnection::shake_hands(Deadline deadline, StopFlag stop) {
  while (true) {
    const Io io = transport_.handshake();
    if (io.what == Io::What::bytes)
      return {};
    if (io.what == Io::What::failed)
      return fail(transport_.error());
    if (io.what == Io::What::end)
      return fail(Errc::unavailable, "TLS handshake: the server closed the connection");
    SLUICE_TRY(wait(io.what, deadline, stop), "TLS handshake");
  }
}

Result<> ClientConnection::exchange(const ClientRequest &request, const Sinks &sinks,
                                    Deadline deadline, const std::chrono::milliseconds &silence,
                                    StopFlag stop) {
  answered_ = reusable_ = false;
  SLUICE_TRY(send(request, url_, deadline, stop), "send the request");
  return receive(request, sinks, deadline, silence, stop);
}

Result<> ClientConnection::send(const ClientRequest &request, const ServerUrl &url,
                                Deadline deadline, StopFlag stop) {
  const std::string head = head_text(request, url);
  std::array<std::string_view, 2> pieces{head, request.body};
  std::span<std::string_view> rest(pieces.data(), request.body.empty() ? 1U : 2U);
  while (!rest.empty()) {
    const Io io = transport_.write(rest);
    if (io.what == Io::What::failed)
      return fail(transport_.error());
    if (io.what == Io::What::end)
      return fail(Errc::unavailable, "the server closed the connection");
    if (io.what != Io::What::bytes) {
      SLUICE_TRY(wait(io.what, deadline, stop), "wait");
      continue;
    }
    for (std::size_t count = io.count; !rest.empty();) {
      const std::size_t part = std::min(count, rest.front().size());
      rest.front().remove_prefix(part);
      count -= part;
      if (!rest.front().empty())
        break;
      rest = rest.subspan(1);
    }
  }
  return {};
}

Result<> ClientConnection::receive(const ClientRequest &request, const Sinks &sinks,
                                   Deadline deadline, const std::chrono::milliseconds &silence,
                                   StopFlag stop) {
  std::vector<char> block(64 * 1024);
  std::string unread;
  ResponseParser parser(sinks.body, request.method == "HEAD");
  bool head_given = false;
  while (true) {
    const Io io = transport_.read(block);
    if (io.what == Io::What::want_read || io.what == Io::What::want_write) {
      SLUICE_TRY(wait(io.what, std::min(deadline, Clock::now() + silence), stop),
                 "wait for the answer");
      continue;
    }
    if (io.what == Io::What::failed)
      return fail(transport_.error());
    if (io.what == Io::What::end) {
      if (answered_ && parser.end_of_input() == Parsed::complete)
        return {};
      return fail(Errc::unavailable, answered_ ? "the server broke the answer off"
                                               : "the server closed the connection");
    }
    answered_ = true;
    unread.append(block.data(), io.count);
    Parsed status = Parsed::need_more;
    while (!unread.empty() && status == Parsed::need_more) {
      const RequestParser::Fed fed = parser.feed(unread);
      unread.erase(0, fed.consumed);
      status = fed.status;
      if (!head_given && parser.head_complete()) {
        head_given = true;
        if (!sinks.head(parser.head()))
          return {};
      } else if (fed.consumed == 0) {
        break;
      }
    }
    if (parser.stopped())
      return {};
    if (status == Parsed::complete) {
      reusable_ = parser.keep_alive() && unread.empty();
      return {};
    }
    if (status != Parsed::need_more)
      return fail(Errc::unavailable, "the answer is no HTTP");
  }
}

bool ClientConnection::still_open() const noexcept {
  pollfd watched{transport_.fd(), POLLIN, 0};
  return ::poll(&watched, 1, 0) == 0;
}

} // namespace sluice::kube::http
