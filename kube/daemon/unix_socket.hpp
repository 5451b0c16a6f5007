#pragma once
// Unix stream sockets that carry lines.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace sluice::kube::daemon {

/// Listening with mode 0600; replaces a socket file that nobody listens on.
Result<UniqueFd> listen_unix(const std::string &path);
Result<UniqueFd> connect_unix(const std::string &path);

/// Lines in and out of a connected socket, each at most `limit` bytes. Not thread-safe.
class LineChannel {
public:
  LineChannel(int fd, std::size_t limit) : fd_(fd), limit_(limit) {}

  /// Without its end; nothing at the end of the stream. exhausted for a line that is too long,
  /// timeout after `deadline`.
  Result<std::optional<std::string>> read_line(std::chrono::steady_clock::time_point deadline);
  Result<> write_line(std::string line, std::chrono::steady_clock::time_point deadline);

private:
  Result<> wait(short events, std::chrono::steady_clock::time_point deadline) const;

  int fd_;
  std::size_t limit_;
  std::string buffer_;
};

} // namespace sluice::kube::daemon
