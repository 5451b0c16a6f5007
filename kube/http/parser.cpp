#include "kube/http/parser.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

namespace sluice::kube::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using Text = beast::string_view;

constexpr std::uint32_t kHeaderLimit = 64 * 1024;

std::string_view view(Text text) { return {text.data(), text.size()}; }

Parsed status_of(const error_code &error, bool done) {
  if (!error)
    return done ? Parsed::complete : Parsed::need_more;
  if (error == beast::http::error::need_more)
    return Parsed::need_more;
  if (error == beast::http::error::header_limit)
    return Parsed::header_too_large;
  if (error == beast::http::error::body_limit)
    return Parsed::body_too_large;
  return Parsed::malformed;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char &c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

bool decode(std::string_view text, bool plus_is_blank, std::string &out) {
  out.clear();
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_blank && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

bool decode_query(std::string_view text, Request &request) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty())
      continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string name, value;
    if (!decode(pair.substr(0, equals), true, name) ||
        !decode(pair.substr(std::min(equals + 1, pair.size())), true, value))
      return false;
    request.query.emplace(std::move(name), std::move(value));
  }
  return true;
}

// What both directions ignore of Beast's events.
template <bool IsRequest> class Events : public beast::http::basic_parser<IsRequest> {
protected:
  void on_request_impl(beast::http::verb, Text, Text, int, error_code &) override {}
  void on_response_impl(int, Text, int, error_code &) override {}
  void on_header_impl(error_code &) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t> &, error_code &) override {}
  void on_chunk_header_impl(std::uint64_t, Text, error_code &) override {}
  void on_finish_impl(error_code &) override {}
};

} // namespace

bool split_target(std::string_view target, Request &request) {
  // Absolute form, as to a proxy: "http://host/path".
  if (const std::size_t scheme = target.find("://");
      scheme != std::string_view::npos && scheme < target.find('/')) {
    const std::size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  target = target.substr(0, target.find('#'));
  const std::size_t mark = std::min(target.find('?'), target.size());
  return decode(target.substr(0, mark), false, request.path) &&
         decode_query(target.substr(std::min(mark + 1, target.size())), request);
}

std::string_view phrase_of(int status) noexcept {
  return view(
      beast::http::obsolete_reason(beast::http::int_to_status(static_cast<unsigned>(status))));
}

struct RequestParser::Impl final : Events<true> {
  Request request;
  bool expects_continue = false;
  int version = 11;

  void on_request_impl(beast::http::verb, Text method, Text target, int http_version,
                       error_code &error) override {
    version = http_version;
    request.method = std::string(view(method));
    if (!split_target(view(target), request))
      error = beast::http::error::bad_target;
  }
  void on_field_impl(beast::http::field, Text name, Text value, error_code &) override {
    const auto [at, fresh] = request.headers.try_emplace(lower(view(name)), view(value));
    if (!fresh)
      at->second.append(", ").append(view(value));
  }
  void on_header_impl(error_code &) override {
    expects_continue = lower(request.header("expect")) == "100-continue";
  }
  void on_body_init_impl(const boost::optional<std::uint64_t> &size, error_code &) override {
    if (size)
      request.body.reserve(static_cast<std::size_t>(*size)); // at most the body limit
  }
  std::size_t on_body_impl(Text body, error_code &) override {
    request.body.append(view(body));
    return body.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code &) override {
    request.body.append(view(body));
    return body.size();
  }
};

RequestParser::RequestParser(std::size_t body_limit_bytes) : impl_(std::make_unique<Impl>()) {
  impl_->eager(true);
  impl_->header_limit(kHeaderLimit);
  impl_->body_limit(body_limit_bytes);
}
RequestParser::~RequestParser() = default;

RequestParser::Fed RequestParser::feed(std::string_view bytes) {
  error_code error;
  const std::size_t consumed =
      impl_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  return {consumed, status_of(error, impl_->is_done())};
}

bool RequestParser::head_complete() const noexcept { return impl_->is_header_done(); }
bool RequestParser::expects_continue() const noexcept { return impl_->expects_continue; }
bool RequestParser::keep_alive() const noexcept { return impl_->keep_alive(); }
bool RequestParser::http11() const noexcept { return impl_->version >= 11; }
Request &RequestParser::request() noexcept { return impl_->request; }

struct ResponseParser::Impl final : Events<false> {
  Head head;
  BodySink *sink = nullptr;
  bool stopped = false;

  void on_response_impl(int code, Text, int, error_code &) override { head.status = code; }
  void on_field_impl(beast::http::field name, Text, Text value, error_code &) override {
    if (name == beast::http::field::content_type)
      head.contentType = std::string(view(value));
    else if (name == beast::http::field::retry_after)
      head.retryAfter = std::string(view(value));
  }
  std::size_t on_body_impl(Text body, error_code &error) override {
    if (!(*sink)(view(body))) {
      stopped = true;
      error = beast::http::error::end_of_stream;
    }
    return body.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code &error) override {
    return on_body_impl(body, error);
  }
};

ResponseParser::ResponseParser(BodySink sink, bool head_only)
    : sink_(std::move(sink)), head_only_(head_only) {}
ResponseParser::~ResponseParser() = default;

RequestParser::Fed ResponseParser::feed(std::string_view bytes) {
  if (!impl_) {
    impl_ = std::make_unique<Impl>();
    impl_->sink = &sink_;
    impl_->header_limit(kHeaderLimit);
    impl_->body_limit(boost::none);
    impl_->skip(head_only_);
  }
  std::size_t consumed = 0;
  error_code error;
  // Not eager: the head is looked at before the body is handed on.
  while (consumed < bytes.size() && !error && !impl_->is_done()) {
    const bool had_head = impl_->is_header_done();
    consumed += impl_->put(
        boost::asio::const_buffer(bytes.data() + consumed, bytes.size() - consumed), error);
    if (!had_head && impl_->is_header_done())
      break;
  }
  if (impl_->is_done() && impl_->head.status / 100 == 1) {
    impl_.reset();
    return {consumed, Parsed::need_more};
  }
  return {consumed, status_of(error, impl_->is_done())};
}

Parsed ResponseParser::end_of_input() {
  if (!impl_ || !impl_->got_some())
    return Parsed::malformed;
  error_code error;
  impl_->put_eof(error);
  return status_of(error, impl_->is_done());
}

bool ResponseParser::head_complete() const noexcept { return impl_ && impl_->is_header_done(); }
bool ResponseParser::stopped() const noexcept { return impl_ && impl_->stopped; }
bool ResponseParser::keep_alive() const noexcept { return impl_ && impl_->keep_alive(); }
const ResponseParser::Head &ResponseParser::head() const noexcept { return impl_->head; }

} // namespace sluice::kube::http
