#include "kube/field_selector.hpp"

#include <algorithm>

namespace sluice::kube {
namespace {

constexpr std::string_view kEscaped = ",=\\";

tl::unexpected<Error> bad(const std::string &part, const std::string &problem) {
  return fail(Errc::invalid_input, "field selector: \"" + part + "\": " + problem);
}

std::string escaped(const std::string &value) {
  std::string text;
  for (const char c : value) {
    if (kEscaped.find(c) != std::string_view::npos)
      text += '\\';
    text += c;
  }
  return text;
}

Result<std::string> unescaped(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=')
      return bad(std::string(text), "'=' in a value is written \"\\=\"");
    if (text[i] == '\\') {
      if (i + 1 == text.size() || kEscaped.find(text[i + 1]) == std::string_view::npos)
        return bad(std::string(text), "'\\' must be followed by ',', '=' or '\\'");
      ++i;
    }
    value += text[i];
  }
  return value;
}

/// Up to the next comma that is not escaped.
std::string_view next_part(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && text[end] != ',')
    end += text[end] == '\\' ? 2 : 1;
  return text.substr(0, std::min(end, text.size()));
}

Result<FieldMatcher::Term> parse_term(std::string_view part) {
  const std::size_t at = part.find_first_of("=!");
  const std::string_view mark = at == std::string_view::npos ? "" : part.substr(at, 2);
  if (at == std::string_view::npos || at == 0 || (mark.front() == '!' && mark != "!="))
    return bad(std::string(part), "expected field=value, field==value or field!=value");
  const std::size_t size = mark == "==" || mark == "!=" ? 2 : 1;
  SLUICE_ASSIGN(std::string value, unescaped(part.substr(at + size)), "read a selector");
  return FieldMatcher::Term{std::string(part.substr(0, at)), std::move(value), mark != "!="};
}

} // namespace

Result<FieldMatcher> FieldMatcher::parse(std::string_view text) {
  FieldMatcher matcher;
  while (!text.empty()) {
    const std::string_view part = next_part(text);
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    if (part.empty())
      continue;
    SLUICE_ASSIGN(Term term, parse_term(part), "read a selector");
    matcher.terms_.push_back(std::move(term));
  }
  return matcher;
}

bool FieldMatcher::matches(const std::function<std::string(const std::string &)> &value_of) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term &term) {
    return (value_of(term.field) == term.value) == term.equal;
  });
}

std::string FieldMatcher::str() const {
  std::string text;
  for (const Term &term : terms_)
    text.append(text.empty() ? "" : ",")
        .append(term.field)
        .append(term.equal ? "=" : "!=")
        .append(escaped(term.value));
  return text;
}

} // namespace sluice::kube
