#include "cli/netexec/answer.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::netexec {
namespace {

constexpr std::size_t kHeadLimitBytes = 16U << 10;
constexpr std::size_t kBodyLimitBytes = 1U << 20;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// The text up to `separator`, which is cut off `rest` with it.
std::string_view cut(std::string_view &rest, std::string_view separator) {
  const auto at = rest.find(separator);
  const auto head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + separator.size());
  return head;
}

Result<> parse_request_line(std::string_view line, HttpRequest &request) {
  const std::string whole(line);
  request.method = cut(line, " ");
  std::string_view target = cut(line, " ");
  if (request.method.empty() || target.empty() || line.substr(0, 7) != "HTTP/1.")
    return fail(Errc::invalid_input, "\"" + whole + "\" is no HTTP/1.x request line");
  request.keep_alive = line != "HTTP/1.0";
  request.path = cut(target, "?");
  request.query = target;
  return {};
}

Result<> apply_header(std::string_view line, HttpRequest &request, std::size_t &body_bytes) {
  const auto name = lower(cut(line, ":"));
  const auto value = trim(line);
  if (name == "connection")
    request.keep_alive = lower(value) == "keep-alive";
  if (name == "transfer-encoding")
    return fail(Errc::invalid_input, "chunked bodies are not supported");
  if (name != "content-length")
    return {};
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), body_bytes);
  if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() ||
      body_bytes > kBodyLimitBytes)
    return fail(Errc::invalid_input, "bad Content-Length \"" + std::string(value) + "\"");
  return {};
}

std::string_view reason_of(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 400:
    return "Bad Request";
  case 404:
    return "Not Found";
  default:
    return "Service Unavailable";
  }
}

} // namespace

std::string describe(const Exchange &exchange) {
  return std::string(exchange.pod) + " protocol=" + std::string(exchange.protocol) +
         " client=" + exchange.client.str() + " server=" + exchange.server.str();
}

std::string_view pod_in(std::string_view line) {
  const auto pod = cut(line, " ");
  return line.substr(0, 9) == "protocol=" ? pod : std::string_view();
}

Result<std::optional<HttpRequest>> parse_http(std::string_view buffer) {
  const auto end = buffer.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (buffer.size() > kHeadLimitBytes)
      return fail(Errc::invalid_input, "the head of the request is longer than 16 KiB");
    return std::optional<HttpRequest>();
  }
  std::string_view head = buffer.substr(0, end);
  HttpRequest request;
  std::size_t body_bytes = 0;
  SLUICE_TRY(parse_request_line(cut(head, "\r\n"), request), "parse request");
  while (!head.empty())
    SLUICE_TRY(apply_header(cut(head, "\r\n"), request, body_bytes), "parse request");
  request.total_bytes = end + 4 + body_bytes;
  if (buffer.size() < request.total_bytes)
    return std::optional<HttpRequest>();
  return std::optional<HttpRequest>(std::move(request));
}

std::string http_answer(int status, std::string_view body, bool keep_alive) {
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_of(status)) +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         (keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n") + std::string(body);
}

} // namespace sluice::netexec
