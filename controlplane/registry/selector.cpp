#include "controlplane/registry/selector.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::controlplane {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

/// At commas outside of parentheses.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c != ',' || (depth > 0 && i < text.size()))
      continue;
    terms.push_back(trimmed(text.substr(start, i - start)));
    start = i + 1;
  }
  return terms;
}

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/';
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

ApiError unparsable(std::string_view text, std::string_view why) {
  return bad_request("unable to parse requirement: \"" + std::string(text) +
                     "\": " + std::string(why));
}

/// "(a, b)" to its parts.
std::optional<std::vector<std::string>> parse_set(std::string_view text) {
  text = trimmed(text);
  if (text.size() < 2 || text.front() != '(' || text.back() != ')')
    return std::nullopt;
  std::vector<std::string> values;
  for (const auto part : split_terms(text.substr(1, text.size() - 2)))
    values.emplace_back(part);
  return values;
}

} // namespace

ApiResult<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  if (trimmed(text).empty())
    return selector;
  for (const auto part : split_terms(text)) {
    auto term = parse_term(part);
    if (!term)
      return refuse(std::move(term.error()));
    selector.terms_.push_back(std::move(*term));
  }
  return selector;
}

ApiResult<LabelSelector::Term> LabelSelector::parse_term(std::string_view text) {
  const bool absent = !text.empty() && text.front() == '!';
  const auto rest = trimmed(absent ? text.substr(1) : text);
  const auto key_end = std::find_if_not(rest.begin(), rest.end(), is_key_char);
  Term term{std::string(rest.begin(), key_end), absent ? Operator::absent : Operator::exists, {}};
  const auto tail = trimmed(rest.substr(term.key.size()));
  if (term.key.empty())
    return refuse(unparsable(text, "a label key is expected"));
  if (tail.empty())
    return term;
  if (absent)
    return refuse(unparsable(text, "nothing may follow the key after '!'"));

  struct Form {
    std::string_view sign;
    Operator op;
  };
  for (const auto form :
       {Form{"==", Operator::in}, Form{"!=", Operator::not_in}, Form{"=", Operator::in},
        Form{">", Operator::greater}, Form{"<", Operator::less}}) {
    if (!tail.starts_with(form.sign))
      continue;
    const auto value = trimmed(tail.substr(form.sign.size()));
    if (!std::all_of(value.begin(), value.end(), is_key_char))
      return refuse(unparsable(text, "a label value is expected"));
    if ((form.op == Operator::greater || form.op == Operator::less) && !number_of(value))
      return refuse(unparsable(text, "for 'Gt', 'Lt' operators, the value must be an integer"));
    term.op = form.op;
    term.values = {std::string(value)};
    return term;
  }
  const bool negated = tail.starts_with("notin");
  const auto values = parse_set(tail.starts_with("in") ? tail.substr(2)
                                : negated              ? tail.substr(5)
                                                       : std::string_view());
  if (!values)
    return refuse(unparsable(text, "found '" + std::string(tail) +
                                       "', expected: in, notin, =, ==, !=, gt, lt"));
  term.op = negated ? Operator::not_in : Operator::in;
  term.values = *values;
  return term;
}

bool LabelSelector::matches(const Labels &labels) const {
  return std::all_of(terms_.begin(), terms_.end(),
                     [&labels](const Term &term) { return matches(term, labels); });
}

bool LabelSelector::matches(const Term &term, const Labels &labels) {
  const auto label = labels.find(term.key);
  const bool present = label != labels.end();
  const auto is_value = [&](const std::string &value) { return present && value == label->second; };
  const auto number = present ? number_of(label->second) : std::nullopt;
  switch (term.op) {
  case Operator::exists:
    return present;
  case Operator::absent:
    return !present;
  case Operator::in:
    return std::any_of(term.values.begin(), term.values.end(), is_value);
  case Operator::not_in:
    return std::none_of(term.values.begin(), term.values.end(), is_value);
  case Operator::greater:
    return number && *number > *number_of(term.values.front());
  case Operator::less:
    return number && *number < *number_of(term.values.front());
  }
  return false;
}

namespace {

/// Undoes `\\`, `\,`, `\=`; nothing if a backslash stands before anything else.
std::optional<std::string> unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
      if (i == text.size() || (text[i] != '\\' && text[i] != ',' && text[i] != '='))
        return std::nullopt;
    }
    result += text[i];
  }
  return result;
}

/// At commas that no backslash protects.
std::vector<std::string_view> split_fields(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == ',') {
      parts.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(text.substr(start));
  return parts;
}

std::optional<FieldSelector::Term> parse_field_term(std::string_view text) {
  const auto sign = text.find('=');
  if (sign == std::string_view::npos || sign == 0)
    return std::nullopt;
  const bool equal = text[sign - 1] != '!';
  const bool doubled = equal && text.substr(sign).starts_with("==");
  const auto value = unescaped(text.substr(sign + (doubled ? 2 : 1)));
  if (!value)
    return std::nullopt;
  return FieldSelector::Term{std::string(trimmed(text.substr(0, equal ? sign : sign - 1))), *value,
                             equal};
}

bool supports(const ResourceType &type, std::string_view field) {
  const auto &labels = type.fieldLabels;
  return field == "metadata.name" || (field == "metadata.namespace" && type.namespaced) ||
         std::any_of(labels.begin(), labels.end(),
                     [field](const FieldLabel &label) { return label.name == field; });
}

} // namespace

ApiResult<FieldSelector> FieldSelector::parse(std::string_view text, const ResourceType &type) {
  FieldSelector selector;
  if (trimmed(text).empty())
    return selector;
  for (const auto part : split_fields(text)) {
    if (trimmed(part).empty())
      continue;
    auto term = parse_field_term(part);
    if (!term)
      return refuse(bad_request("invalid selector: '" + std::string(part) +
                                "'; can't understand '" + std::string(part) + "'"));
    if (!supports(type, term->field))
      return refuse(bad_request("field label not supported: " + term->field));
    selector.terms_.push_back(std::move(*term));
  }
  return selector;
}

std::optional<std::string> FieldSelector::required(std::string_view field) const {
  for (const auto &term : terms_)
    if (term.equal && term.field == field)
      return term.value;
  return std::nullopt;
}

} // namespace sluice::controlplane
