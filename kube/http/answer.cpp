#include "kube/http/answer.hpp"

#include "kube/http/parser.hpp"

#include <ctime>

namespace sluice::kube::http {
namespace {

void append_field(std::string &head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value)
    head += c == '\r' || c == '\n' ? ' ' : c; // a value never starts a field of its own
  head += "\r\n";
}

std::string common_head(const Response &response, const AnswerForm &form, std::string_view date) {
  std::string head;
  head.reserve(256);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(phrase_of(response.status)).append("\r\n");
  append_field(head, "Date", date);
  if (may_have_body(response.status))
    append_field(head, "Content-Type", response.contentType);
  for (const auto &[name, value] : response.headers)
    append_field(head, name, value);
  if (!form.keep_alive)
    append_field(head, "Connection", "close");
  else if (!form.http11)
    append_field(head, "Connection", "keep-alive");
  return head;
}

} // namespace

bool may_have_body(int status) noexcept { return status != 204 && status != 304; }

std::string head_of(const Response &response, const AnswerForm &form, std::string_view date) {
  std::string head = common_head(response, form, date);
  if (may_have_body(response.status))
    append_field(head, "Content-Length", std::to_string(response.body ? response.body->size() : 0));
  return head += "\r\n";
}

std::string stream_head_of(const Response &response, const AnswerForm &form,
                           std::string_view date) {
  std::string head = common_head(response, form, date);
  if (form.http11)
    append_field(head, "Transfer-Encoding", "chunked");
  return head += "\r\n";
}

std::string chunk_prefix(std::size_t size) {
  std::string prefix;
  for (; size != 0; size >>= 4)
    prefix.insert(prefix.begin(), "0123456789abcdef"[size & 15]);
  return prefix += "\r\n";
}

std::string http_date(std::time_t when) {
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  std::array<char, 40> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

} // namespace sluice::kube::http
