#pragma once
// HTTP/1.1 messages from bytes as they come (RFC 9112). The grammar is Boost.Beast's; its headers
// stay in parser.cpp.

#include "kube/http/server.hpp"

#include <cstdint>

namespace sluice::kube::http {

enum class Parsed : std::uint8_t {
  need_more,
  complete,
  malformed,        ///< answer 400
  header_too_large, ///< answer 431
  body_too_large,   ///< answer 413
};

/// One request. Not thread-safe.
class RequestParser {
public:
  explicit RequestParser(std::size_t body_limit_bytes);
  ~RequestParser();

  struct Fed {
    std::size_t consumed; ///< bytes to drop from the front of the input; the rest comes again
    Parsed status;
  };
  /// `bytes` is not empty and begins where the last call stopped consuming.
  Fed feed(std::string_view bytes);

  bool head_complete() const noexcept;
  /// The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const noexcept;
  bool keep_alive() const noexcept;
  bool http11() const noexcept; ///< chunked answers are understood
  /// Complete once `feed` said so.
  Request &request() noexcept;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One response whose body is handed on as it comes. Interim answers (1xx) are skipped. Not
/// thread-safe.
class ResponseParser {
public:
  struct Head {
    int status = 0;
    std::string contentType, retryAfter;
  };
  using BodySink = std::function<bool(std::string_view)>; ///< false: stop parsing
  /// `head_only` for the answer to HEAD.
  ResponseParser(BodySink sink, bool head_only);
  ~ResponseParser();

  RequestParser::Fed feed(std::string_view bytes);
  /// The peer closed the connection: complete only if the message ends so.
  Parsed end_of_input();

  bool head_complete() const noexcept;
  bool stopped() const noexcept; ///< the sink said false
  bool keep_alive() const noexcept;
  const Head &head() const noexcept;

private:
  struct Impl;
  BodySink sink_;
  bool head_only_;
  std::unique_ptr<Impl> impl_;
};

/// Splits "/a%20b?x=1&y" into the decoded path and query. False if an escape is broken.
bool split_target(std::string_view target, Request &request);

/// The standard phrase of a status code, e.g. "Not Found".
std::string_view phrase_of(int status) noexcept;

} // namespace sluice::kube::http
