#include "kube/label_selector.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::kube {
namespace {

using Op = LabelMatcher::Op;
using Requirement = LabelMatcher::Requirement;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// One to 63 characters as in a label's name.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

bool is_dns_label(std::string_view text) {
  const auto lower = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && lower(text.front()) && lower(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return lower(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view text) {
  if (text.size() > 253)
    return false;
  while (true) {
    const std::size_t dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot)))
      return false;
    if (dot == std::string_view::npos)
      return true;
    text.remove_prefix(dot + 1);
  }
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  return err == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                : std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos)
      return parts;
    text.remove_prefix(end + 1);
  }
}

/// The text up to the next comma outside of parentheses.
std::string_view next_part(std::string_view text) {
  std::size_t depth = 0, end = 0;
  for (; end < text.size() && (text[end] != ',' || depth > 0); ++end) {
    depth += text[end] == '(' ? 1U : 0U;
    depth -= text[end] == ')' && depth > 0 ? 1U : 0U;
  }
  return text.substr(0, end);
}

tl::unexpected<Error> bad(std::string_view part, const std::string &problem) {
  return fail(Errc::invalid_input,
              "label selector: unable to parse \"" + std::string(part) + "\": " + problem);
}

/// "key in (a,b)" and "key notin (a,b)".
Result<Requirement> parse_set(std::string_view part, std::size_t paren) {
  const std::string_view head = trimmed(part.substr(0, paren));
  const std::size_t blank = head.find_last_of(" \t");
  const std::string_view word = head.substr(blank == std::string_view::npos ? 0 : blank + 1);
  if (blank == std::string_view::npos || (word != "in" && word != "notin"))
    return bad(part, "expected \"in\" or \"notin\" before the parenthesis");
  if (part.back() != ')')
    return bad(part, "the parenthesis is not closed");
  return Requirement{std::string(trimmed(head.substr(0, blank))),
                     word == "in" ? Op::in : Op::not_in,
                     split(part.substr(paren + 1, part.size() - paren - 2), ',')};
}

Result<Requirement> parse_part(std::string_view part) {
  if (part.empty())
    return bad(part, "expected a requirement");
  if (const std::size_t paren = part.find('('); paren != std::string_view::npos)
    return parse_set(part, paren);
  if (part.front() == '!' && part.find('=') == std::string_view::npos)
    return Requirement{std::string(trimmed(part.substr(1))), Op::absent, {}};
  const std::size_t at = part.find_first_of("=!<>");
  if (at == std::string_view::npos)
    return Requirement{std::string(part), Op::exists, {}};
  const std::string_view mark =
      part.substr(at, part.substr(at, 2) == "==" || part.substr(at, 2) == "!=" ? 2U : 1U);
  if (mark == "!")
    return bad(part, "expected \"!=\"");
  const Op op = mark == "!="  ? Op::not_in
                : mark == ">" ? Op::greater
                : mark == "<" ? Op::less
                              : Op::in;
  return Requirement{std::string(trimmed(part.substr(0, at))),
                     op,
                     {std::string(trimmed(part.substr(at + mark.size())))}};
}

bool holds(const Requirement &requirement, const Labels &labels) {
  const auto found = labels.find(requirement.key);
  const bool present = found != labels.end();
  switch (requirement.op) {
  case Op::exists:
    return present;
  case Op::absent:
    return !present;
  case Op::in:
    return present &&
           std::binary_search(requirement.values.begin(), requirement.values.end(), found->second);
  case Op::not_in:
    return !present ||
           !std::binary_search(requirement.values.begin(), requirement.values.end(), found->second);
  case Op::greater:
  case Op::less:
    break;
  }
  const auto have = present ? integer(found->second) : std::nullopt;
  const auto bound = integer(requirement.values.front());
  return have && bound && (requirement.op == Op::greater ? *have > *bound : *have < *bound);
}

std::string text_of(const Requirement &requirement) {
  std::string list;
  for (const std::string &value : requirement.values)
    list += (list.empty() ? "" : ",") + value;
  switch (requirement.op) {
  case Op::exists:
    return requirement.key;
  case Op::absent:
    return "!" + requirement.key;
  case Op::in:
    return requirement.values.size() == 1 ? requirement.key + "=" + list
                                          : requirement.key + " in (" + list + ")";
  case Op::not_in:
    return requirement.values.size() == 1 ? requirement.key + "!=" + list
                                          : requirement.key + " notin (" + list + ")";
  case Op::greater:
    return requirement.key + ">" + list;
  case Op::less:
    return requirement.key + "<" + list;
  }
  return requirement.key;
}

} // namespace

bool is_label_key(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos)
    return is_name(text);
  return is_dns_subdomain(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) noexcept { return text.empty() || is_name(text); }

Result<> LabelMatcher::add(Requirement requirement) {
  if (!is_label_key(requirement.key))
    return fail(Errc::invalid_input,
                "label selector: key \"" + requirement.key + "\" is not a qualified name");
  const bool numeric = requirement.op == Op::greater || requirement.op == Op::less;
  for (const std::string &value : requirement.values)
    if (numeric ? !integer(value) : !is_label_value(value))
      return fail(Errc::invalid_input, "label selector: value \"" + value + "\" of key \"" +
                                           requirement.key + "\" is not " +
                                           (numeric ? "an integer" : "a label value"));
  std::sort(requirement.values.begin(), requirement.values.end());
  requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()),
                           requirement.values.end());
  requirements_.push_back(std::move(requirement));
  return {};
}

void LabelMatcher::sort() {
  std::sort(requirements_.begin(), requirements_.end());
  requirements_.erase(std::unique(requirements_.begin(), requirements_.end()), requirements_.end());
}

Result<LabelMatcher> LabelMatcher::parse(std::string_view text) {
  LabelMatcher matcher;
  text = trimmed(text);
  while (!text.empty()) {
    const std::string_view part = next_part(text);
    SLUICE_ASSIGN(Requirement requirement, parse_part(trimmed(part)), "read a selector");
    SLUICE_TRY(matcher.add(std::move(requirement)), "read a selector");
    const bool more = part.size() < text.size();
    text.remove_prefix(part.size() + (more ? 1 : 0));
    if (more && trimmed(text).empty())
      return bad(part, "expected another requirement behind the comma");
  }
  matcher.sort();
  return matcher;
}

Result<LabelMatcher> LabelMatcher::from(const LabelSelector &selector) {
  LabelMatcher matcher;
  for (const auto &[key, value] : selector.matchLabels)
    SLUICE_TRY(matcher.add({key, Op::in, {value}}), "matchLabels");
  for (const LabelSelectorRequirement &expression : selector.matchExpressions) {
    const std::string &word = expression.operator_;
    const bool set = word == "In" || word == "NotIn";
    if (!set && word != "Exists" && word != "DoesNotExist")
      return fail(Errc::invalid_input, "matchExpressions: operator \"" + word +
                                           "\": must be In, NotIn, Exists or DoesNotExist");
    if (set == expression.values.empty())
      return fail(Errc::invalid_input, "matchExpressions: key \"" + expression.key + "\": " + word +
                                           (set ? " needs values" : " takes no values"));
    const Op op = word == "In"       ? Op::in
                  : word == "NotIn"  ? Op::not_in
                  : word == "Exists" ? Op::exists
                                     : Op::absent;
    SLUICE_TRY(matcher.add({expression.key, op, expression.values}), "matchExpressions");
  }
  matcher.sort();
  return matcher;
}

bool LabelMatcher::matches(const Labels &labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const Requirement &requirement) { return holds(requirement, labels); });
}

std::string LabelMatcher::str() const {
  std::string text;
  for (const Requirement &requirement : requirements_)
    text += (text.empty() ? "" : ",") + text_of(requirement);
  return text;
}

} // namespace sluice::kube
