#pragma once
// How an answer looks on the wire. Pure.

#include "kube/http/server.hpp"

namespace sluice::kube::http {

/// What the request decides about the form of its answer.
struct AnswerForm {
  bool http11 = true;
  bool keep_alive = true;
  bool head_only = false; ///< the request was HEAD
};

/// The head of an answer with a body of known size. `date` is the value of the Date header.
std::string head_of(const Response &response, const AnswerForm &form, std::string_view date);
/// The head of an answer whose body follows in chunks (until the end of the connection for 1.0).
std::string stream_head_of(const Response &response, const AnswerForm &form, std::string_view date);
/// 204 and 304 have none (RFC 9110 §6.4.1).
bool may_have_body(int status) noexcept;

/// What goes before a chunk of that size; after it goes "\r\n".
std::string chunk_prefix(std::size_t size);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// IMF-fixdate of RFC 9110 §5.6.7 from seconds since 1970.
std::string http_date(std::time_t when);

} // namespace sluice::kube::http
