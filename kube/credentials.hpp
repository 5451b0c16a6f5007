#pragma once
// The secrets of a ClientConfig as they are now: files are read again when they change.

#include "kube/http/transport.hpp"
#include "kube/kubeconfig.hpp"

#include <chrono>
#include <mutex>

namespace sluice::kube {

/// Thread-safe: `mutex_` guards all that changes.
class Credentials {
public:
  /// Reads everything once, so that a wrong path is an error at the start.
  static Result<std::unique_ptr<Credentials>> create(const ClientConfig &config, bool tls);

  struct Snapshot {
    std::string token;                           ///< empty: none
    std::shared_ptr<const http::TlsContext> tls; ///< null without TLS
  };
  /// Looks at the files (a stat each) and reads what changed, or everything after a minute. A file
  /// that cannot be read or parsed any more leaves what was there before.
  Snapshot now();

private:
  /// One file, or inline data, and what was read last.
  struct Source {
    PemSource from;
    std::string text;
    std::string stamp; // inode, size and mtime of the file that `text` is from
    /// True if `text` changed.
    Result<bool> refresh(bool even_if_unchanged);
  };

  Credentials(const ClientConfig &config, bool tls);
  Result<> refresh(bool even_if_unchanged);

  const bool use_tls_, verify_;
  std::mutex mutex_;
  Source authority_, certificate_, key_, token_;
  std::shared_ptr<const http::TlsContext> tls_;
  std::chrono::steady_clock::time_point read_at_;
};

} // namespace sluice::kube
