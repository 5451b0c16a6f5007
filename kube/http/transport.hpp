#pragma once
// One non-blocking connected socket, with or without TLS. The only place that knows OpenSSL; the
// server's loop and the blocking client both stand on it.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::kube::http {

/// What one attempt to move bytes came to.
struct Io {
  enum class What : std::uint8_t {
    bytes,      ///< `count` bytes moved, at least one
    want_read,  ///< try again once the socket is readable
    want_write, ///< try again once the socket is writable
    end,        ///< the peer ended the connection in order
    failed,     ///< `Transport::error` says why
  };
  What what;
  std::size_t count = 0;
};

/// Certificates and policy of one side of TLS (>= 1.2). Immutable once made; thread-safe.
class TlsContext {
public:
  struct Server {
    std::string certificateFile, keyFile; ///< PEM; the certificate file may hold a chain
    std::string clientCaFile; ///< set: client certificates are asked for and verified, not required
  };
  /// PEM texts, each may be empty.
  struct Client {
    std::string authorities; ///< empty: those that the system trusts
    std::string certificate, key;
    bool verify = true;
  };
  static Result<std::shared_ptr<const TlsContext>> server(const Server &files);
  static Result<std::shared_ptr<const TlsContext>> client(const Client &pem);
  ~TlsContext();

private:
  friend class Transport;
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Not thread-safe.
class Transport {
public:
  /// Without TLS. `socket` is non-blocking.
  explicit Transport(UniqueFd socket);
  /// The side of the context decides who begins; `peer_name` is the host name or address that the
  /// server's certificate must hold (client side only). Call `handshake` first.
  Transport(UniqueFd socket, std::shared_ptr<const TlsContext> tls, const std::string &peer_name);
  ~Transport();
  Transport(Transport &&) noexcept;

  int fd() const noexcept { return socket_.get(); }
  bool tls() const noexcept { return tls_ != nullptr; }

  /// `bytes` when done; call again after want_read or want_write.
  Io handshake();
  Io read(std::span<char> into);
  /// Sends some of `pieces`, in order. After want_read or want_write call again with the same bytes
  /// in front.
  Io write(std::span<const std::string_view> pieces);
  /// Tells a TLS peer that no more comes; best effort, never waits.
  void shutdown() noexcept;
  void close() noexcept { socket_.reset(); }

  /// Why the last call answered `failed`.
  const Error &error() const noexcept { return error_; }
  /// The failed handshake was a plain HTTP request.
  bool peer_spoke_http() const noexcept { return peer_spoke_http_; }
  /// Of the verified client certificate; empty if there is none.
  std::string peer_common_name() const;
  std::vector<std::string> peer_organizations() const;

private:
  struct Ssl;
  Io tls_result(int result, std::string_view doing);
  Io write_plain(std::span<const std::string_view> pieces);
  Io write_tls(std::span<const std::string_view> pieces);
  Io fail_errno(int err, std::string_view doing);

  UniqueFd socket_;
  std::unique_ptr<Ssl> tls_;
  Error error_;
  bool peer_spoke_http_ = false;
};

} // namespace sluice::kube::http
