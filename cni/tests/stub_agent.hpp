#pragma once
// A policy agent that answers every line with the same text.

#include "net/unique_fd.hpp"

#include <array>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <vector>

namespace sluice::cni {

class StubAgent {
public:
  /// Without `answer` it says nothing and keeps the connection; with "" it hangs up.
  StubAgent(const std::string &path, std::optional<std::string> answer)
      : answer_(std::move(answer)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ::bind(listener_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address);
    ::listen(listener_.get(), 16);
    thread_ = std::thread([this] { serve(); });
  }
  StubAgent(const StubAgent &) = delete;
  StubAgent &operator=(const StubAgent &) = delete;
  ~StubAgent() { stop(); }

  /// Ends when all connections that were made are read. What was heard stays.
  std::vector<std::string> stop() {
    ::shutdown(listener_.get(), SHUT_RD);
    if (thread_.joinable())
      thread_.join();
    return heard_;
  }

private:
  void serve() {
    for (;;) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd)
        return;
      std::array<char, 4096> buffer{};
      const auto got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (got > 0)
        heard_.emplace_back(buffer.data(), static_cast<std::size_t>(got));
      if (answer_)
        (void)!::send(fd.get(), answer_->data(), answer_->size(), MSG_NOSIGNAL);
      else
        kept_.push_back(std::move(fd));
    }
  }
  std::optional<std::string> answer_;
  UniqueFd listener_;
  std::vector<UniqueFd> kept_;
  std::vector<std::string> heard_; ///< written by the thread, read after its end
  std::thread thread_;
};

} // namespace sluice::cni
