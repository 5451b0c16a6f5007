#include "kube/json_reader.hpp"

#include <charconv>
#include <cstring>
#include <limits>

namespace sluice::kube {
namespace {

constexpr std::string_view kKindNames[] = {"an object", "a list",  "a string", "a number",
                                           "a boolean", "nothing", "nothing"};

constexpr std::string_view kEscapes = "\"\\/bfnrt"; // and u

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::uint32_t code, std::string &into) {
  const auto put = [&](std::uint32_t byte) { into += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 63));
    put(0x80 | (code & 63));
  } else {
    put(0xf0 | (code >> 18));
    put(0x80 | ((code >> 12) & 63));
    put(0x80 | ((code >> 6) & 63));
    put(0x80 | (code & 63));
  }
}

/// The four digits at `i`; nothing if they are not hexadecimal.
std::optional<std::uint32_t> hex4(std::string_view raw, std::size_t i) {
  std::uint32_t code = 0;
  if (i + 4 > raw.size())
    return std::nullopt;
  const auto [end, err] = std::from_chars(raw.data() + i, raw.data() + i + 4, code, 16);
  return err == std::errc() && end == raw.data() + i + 4 ? std::optional(code) : std::nullopt;
}

/// How many characters from `i` on are nothing special in a string, looked at by eights: most of
/// the time of a decoding goes by here. May stop early, never late.
std::size_t plain_characters(std::string_view text, std::size_t i) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  const auto has_zero = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };
  const std::size_t begin = i;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + i, sizeof eight);
    const auto controls = (eight - kOnes * 0x20) & ~eight & kHighs;
    if ((controls | has_zero(eight ^ (kOnes * '"')) | has_zero(eight ^ (kOnes * '\\'))) != 0)
      break;
  }
  return i - begin;
}

} // namespace

void JsonReader::blanks() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
    ++at_;
}

JsonReader::Kind JsonReader::peek() {
  blanks();
  if (error_ || at_ >= text_.size())
    return Kind::none;
  switch (text_[at_]) {
  case '{':
    return Kind::object;
  case '[':
    return Kind::array;
  case '"':
    return Kind::string;
  case 't':
  case 'f':
    return Kind::boolean;
  case 'n':
    return Kind::null;
  default:
    return text_[at_] == '-' || is_digit(text_[at_]) ? Kind::number : Kind::none;
  }
}

bool JsonReader::null() { return peek() == Kind::null && literal("null"); }

bool JsonReader::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) {
    broken();
    return false;
  }
  at_ += word.size();
  return true;
}

void JsonReader::broken() {
  if (error_)
    return;
  broken_ = true;
  error_ = Error(Errc::invalid_input, "not JSON at byte " + std::to_string(at_));
}

std::string JsonReader::path() const {
  std::string text;
  for (const Step &step : path_) {
    if (step.key.data() == nullptr)
      text += "[" + std::to_string(step.index) + "]";
    else
      text.append(text.empty() ? "" : ".").append(step.key);
  }
  return text;
}

void JsonReader::refuse_as(std::string_view wanted, std::string_view found) {
  const std::string where = path();
  error_ = Error(Errc::invalid_input, (where.empty() ? "the document" : where) + ": must be " +
                                          std::string(wanted) + ", found " + std::string(found));
}

void JsonReader::wrong_kind(std::string_view wanted) {
  if (error_)
    return;
  const Kind found = peek();
  if (found == Kind::none)
    return broken();
  refuse_as(wanted, kKindNames[static_cast<std::size_t>(found)]);
}

void JsonReader::refuse(Mark mark, std::string_view wanted) {
  if (error_)
    return;
  at_ = mark.at;
  depth_ = mark.depth;
  const std::string_view found = skip();
  if (!error_)
    refuse_as(wanted, found.substr(0, 80));
}

std::string_view JsonReader::recover(Mark mark) {
  if (broken_)
    return {};
  error_.reset();
  at_ = mark.at;
  depth_ = mark.depth;
  first_ = false;
  return skip();
}

bool JsonReader::open(char bracket, std::string_view wanted) {
  blanks();
  if (error_)
    return false;
  if (at_ >= text_.size() || text_[at_] != bracket) {
    wrong_kind(wanted);
    return false;
  }
  if (++depth_ > kMaxDepth) {
    broken();
    return false;
  }
  ++at_;
  return first_ = true;
}

// Behind an opening bracket or an element: true if another element follows.
bool JsonReader::next_in(char closing) {
  blanks();
  if (error_)
    return false;
  const bool first = std::exchange(first_, false);
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (c == closing) {
    ++at_;
    --depth_;
    return false;
  }
  if (first)
    return true;
  if (c != ',') {
    broken();
    return false;
  }
  ++at_;
  return true;
}

bool JsonReader::next_element() { return next_in(']'); }

std::optional<std::string_view> JsonReader::next_key() {
  if (!next_in('}'))
    return std::nullopt;
  blanks();
  bool escaped = false;
  std::optional<std::string_view> key = raw_string(escaped);
  if (!key)
    return std::nullopt;
  if (escaped) {
    std::string &owned = escaped_keys_.emplace_back();
    if (!unescape(*key, owned))
      return std::nullopt;
    key = owned;
  }
  blanks();
  if (at_ >= text_.size() || text_[at_] != ':') {
    broken();
    return std::nullopt;
  }
  ++at_;
  return key;
}

std::optional<std::string_view> JsonReader::raw_string(bool &escaped) {
  escaped = false;
  if (at_ >= text_.size() || text_[at_] != '"') {
    broken();
    return std::nullopt;
  }
  const std::size_t begin = ++at_;
  for (at_ += plain_characters(text_, at_); at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '"')
      return text_.substr(begin, at_++ - begin);
    if (static_cast<unsigned char>(c) < 0x20)
      break;
    if (c == '\\') {
      escaped = true;
      ++at_;
      const char what = at_ < text_.size() ? text_[at_] : '\0';
      if (what == 'u' ? !hex4(text_, at_ + 1) : kEscapes.find(what) == std::string_view::npos)
        break;
    }
  }
  broken();
  return std::nullopt;
}

bool JsonReader::unescape_unicode(std::string_view raw, std::size_t &i, std::string &into) {
  std::optional<std::uint32_t> code = hex4(raw, i + 1);
  if (!code)
    return false;
  i += 4;
  if (*code >= 0xd800 && *code < 0xdc00 && raw.substr(i + 1, 2) == "\\u") {
    const auto low = hex4(raw, i + 3);
    if (low && *low >= 0xdc00 && *low < 0xe000) {
      code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
      i += 6;
    }
  }
  const bool lone_surrogate = *code >= 0xd800 && *code < 0xe000;
  append_utf8(lone_surrogate ? 0xfffd : *code, into);
  return true;
}

bool JsonReader::unescape(std::string_view raw, std::string &into) {
  constexpr std::string_view kMeaning = "\"\\/\b\f\n\r\t";
  into.clear();
  into.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      into += raw[i];
      continue;
    }
    const char c = raw[++i]; // `raw_string` has seen that it is there
    const std::size_t simple = kEscapes.find(c);
    if (simple != std::string_view::npos) {
      into += kMeaning[simple];
    } else if (c != 'u' || !unescape_unicode(raw, i, into)) {
      broken();
      return false;
    }
  }
  return true;
}

void JsonReader::value(std::string &into) {
  if (null() || error_)
    return;
  if (peek() != Kind::string)
    return wrong_kind("a string");
  bool escaped = false;
  const std::optional<std::string_view> raw = raw_string(escaped);
  if (!raw)
    return;
  if (escaped)
    unescape(*raw, into);
  else
    into.assign(*raw);
}

void JsonReader::value(bool &into) {
  if (null() || error_)
    return;
  if (peek() != Kind::boolean)
    return wrong_kind("a boolean");
  const bool yes = text_[at_] == 't';
  if (literal(yes ? "true" : "false"))
    into = yes;
}

std::string_view JsonReader::number() {
  const std::size_t begin = at_;
  const auto digits = [this] {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_digit(text_[at_]))
      ++at_;
    return at_ - from;
  };
  const auto take = [this](std::string_view any) {
    const bool there = at_ < text_.size() && any.find(text_[at_]) != std::string_view::npos;
    at_ += there ? 1 : 0;
    return there;
  };
  take("-");
  const std::size_t whole_at = at_;
  const std::size_t whole = digits();
  bool good = whole > 0 && (whole == 1 || text_[whole_at] != '0');
  if (good && take("."))
    good = digits() > 0;
  if (good && take("eE")) {
    take("+-");
    good = digits() > 0;
  }
  if (!good)
    broken();
  return text_.substr(begin, at_ - begin);
}

void JsonReader::value(std::int64_t &into) {
  if (null() || error_)
    return;
  if (peek() != Kind::number)
    return wrong_kind("an integer");
  const Mark here = mark();
  const std::string_view digits = number();
  if (error_)
    return;
  const auto [end, err] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
  if (err != std::errc() || end != digits.data() + digits.size())
    refuse(here, "an integer");
}

void JsonReader::value(std::int32_t &into) {
  const Mark here = mark();
  std::int64_t wide = into;
  value(wide);
  if (wide < std::numeric_limits<std::int32_t>::min() ||
      wide > std::numeric_limits<std::int32_t>::max())
    return refuse(here, "an integer of 32 bits");
  into = static_cast<std::int32_t>(wide);
}

std::string_view JsonReader::skip() {
  blanks();
  const std::size_t begin = at_;
  skip_one();
  return error_ ? std::string_view() : text_.substr(begin, at_ - begin);
}

void JsonReader::skip_one() {
  bool escaped = false;
  switch (peek()) {
  case Kind::object:
    if (open('{', "an object"))
      while (next_key())
        skip_one();
    return;
  case Kind::array:
    if (open('[', "a list"))
      while (next_element())
        skip_one();
    return;
  case Kind::string:
    raw_string(escaped);
    return;
  case Kind::number:
    number();
    return;
  case Kind::boolean:
    literal(text_[at_] == 't' ? "true" : "false");
    return;
  case Kind::null:
    literal("null");
    return;
  case Kind::none:
    broken();
    return;
  }
}

void JsonReader::end() {
  blanks();
  if (!error_ && at_ != text_.size())
    broken();
}

} // namespace sluice::kube
