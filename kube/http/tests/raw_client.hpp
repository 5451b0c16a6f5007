#pragma once
// A socket that says exactly what a test tells it to, and nothing else.

#include "kube/http/socket.hpp"

#include <poll.h>
#include <sys/socket.h>

namespace sluice::kube::http::testing {

class RawClient {
public:
  explicit RawClient(const SocketAddress &server) {
    if (auto socket = begin_connect(server))
      socket_ = std::move(*socket);
    wait(POLLOUT);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty() && wait(POLLOUT)) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0)
        return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Everything up to and including `mark`; what came so far if the peer closes or 5 s pass.
  std::string read_until(std::string_view mark) {
    while (received_.find(mark) == std::string::npos && receive()) {
    }
    const std::size_t at = received_.find(mark);
    const std::size_t size = at == std::string::npos ? received_.size() : at + mark.size();
    std::string result = received_.substr(0, size);
    received_.erase(0, size);
    return result;
  }
  /// Everything until the peer closes.
  std::string read_all() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }
  bool closed_by_peer() {
    char byte = 0;
    return wait(POLLIN) && ::recv(socket_.get(), &byte, 1, 0) <= 0;
  }
  void close() { socket_.reset(); }
  const UniqueFd &socket() const { return socket_; }

private:
  bool wait(short events) {
    pollfd watched{socket_.get(), events, 0};
    return ::poll(&watched, 1, 5000) == 1;
  }
  bool receive() {
    std::array<char, 65536> block;
    if (!wait(POLLIN))
      return false;
    const ssize_t got = ::recv(socket_.get(), block.data(), block.size(), 0);
    if (got <= 0)
      return false;
    received_.append(block.data(), static_cast<std::size_t>(got));
    return true;
  }

  UniqueFd socket_;
  std::string received_;
};

} // namespace sluice::kube::http::testing
