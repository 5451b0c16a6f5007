#include "controlplane/resources/validation.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_or_digit(char c) { return is_lower(c) || is_digit(c); }
bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

/// Not empty, begins and ends with `edge`, in between also what `extra` holds.
bool is_name(std::string_view text, bool (*edge)(char), std::string_view extra) {
  return !text.empty() && edge(text.front()) && edge(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return edge(c) || extra.find(c) != std::string_view::npos; });
}

bool is_dns_label(std::string_view text) { return is_name(text, is_lower_or_digit, "-"); }

bool is_dns_subdomain(std::string_view text) {
  while (true) {
    const auto dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot)))
      return false;
    if (dot == std::string_view::npos)
      return true;
    text.remove_prefix(dot + 1);
  }
}

std::string too_long_text(std::size_t limit) {
  return "must be no more than " + std::to_string(limit) + " characters";
}

constexpr std::string_view kDnsLabel =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view kDns1035Label =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view kDnsSubdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view kQualifiedName =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view kLabelValue =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

} // namespace

void FieldChecker::add(std::string_view reason, std::string field, std::string message) {
  errors_.push_back({std::string(reason), std::move(field), std::move(message)});
}

void FieldChecker::add(FieldErrors more) {
  errors_.insert(errors_.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
}

void FieldChecker::required(std::string field, std::string_view detail) {
  add("FieldValueRequired", std::move(field),
      detail.empty() ? "Required value" : "Required value: " + std::string(detail));
}

void FieldChecker::invalid(std::string field, const json &value, std::string_view detail) {
  add("FieldValueInvalid", std::move(field),
      "Invalid value: " + dump(value) + ": " + std::string(detail));
}

void FieldChecker::not_supported(std::string field, const json &value,
                                 std::initializer_list<std::string_view> supported) {
  std::string message = "Unsupported value: " + dump(value) + ": supported values: ";
  for (const auto &one : supported)
    message += (&one == supported.begin() ? "\"" : ", \"") + std::string(one) + "\"";
  add("FieldValueNotSupported", std::move(field), std::move(message));
}

void FieldChecker::duplicate(std::string field, const json &value) {
  add("FieldValueDuplicate", std::move(field), "Duplicate value: " + dump(value));
}

void FieldChecker::forbidden(std::string field, std::string_view detail) {
  add("FieldValueForbidden", std::move(field), "Forbidden: " + std::string(detail));
}

void FieldChecker::too_long(std::string field, std::size_t limit) {
  add("FieldValueTooLong", std::move(field),
      "Too long: may not be more than " + std::to_string(limit) + " bytes");
}

void FieldChecker::too_many(std::string field, std::size_t count, std::size_t limit) {
  add("FieldValueTooMany", std::move(field),
      "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(limit) +
          " items");
}

void FieldChecker::check(std::string field, const json &value, const std::string &problem) {
  if (!problem.empty())
    invalid(std::move(field), value, problem);
}

void FieldChecker::immutable(const json &object, const json *old, std::string_view path) {
  if (old != nullptr && at(object, path) != at(*old, path))
    invalid(std::string(path), at(object, path), "field is immutable");
}

void FieldChecker::one_of(const json &object, std::string_view path, const std::string &field,
                          std::initializer_list<std::string_view> supported, bool is_required) {
  const auto value = text(object, path);
  if (value.empty()) {
    if (is_required)
      required(field);
    return;
  }
  if (std::find(supported.begin(), supported.end(), value) == supported.end())
    not_supported(field, value, supported);
}

std::string dns_label_problem(std::string_view text) {
  if (text.size() > 63)
    return too_long_text(63);
  return is_dns_label(text) ? "" : std::string(kDnsLabel);
}

std::string dns1035_label_problem(std::string_view text) {
  if (text.size() > 63)
    return too_long_text(63);
  return is_dns_label(text) && is_lower(text.front()) ? "" : std::string(kDns1035Label);
}

std::string dns_subdomain_problem(std::string_view text) {
  if (text.size() > 253)
    return too_long_text(253);
  return is_dns_subdomain(text) ? "" : std::string(kDnsSubdomain);
}

std::string qualified_name_problem(std::string_view text) {
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto problem = dns_subdomain_problem(text.substr(0, slash));
    if (!problem.empty())
      return "prefix part " + problem;
    text.remove_prefix(slash + 1);
  }
  if (text.empty())
    return "name part must be non-empty";
  if (text.size() > 63)
    return "name part " + too_long_text(63);
  return is_name(text, is_alphanumeric, "-_.") ? "" : std::string(kQualifiedName);
}

std::string label_value_problem(std::string_view text) {
  if (text.size() > 63)
    return too_long_text(63);
  return text.empty() || is_name(text, is_alphanumeric, "-_.") ? "" : std::string(kLabelValue);
}

std::string port_name_problem(std::string_view text) {
  if (text.size() > 15)
    return too_long_text(15);
  const auto other = std::find_if(text.begin(), text.end(),
                                  [](char c) { return !is_lower_or_digit(c) && c != '-'; });
  if (other != text.end())
    return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  if (std::none_of(text.begin(), text.end(), is_lower))
    return "must contain at least one letter (a-z)";
  if (text.find("--") != std::string_view::npos)
    return "must not contain consecutive hyphens";
  if (text.front() == '-' || text.back() == '-')
    return "must not begin or end with a hyphen";
  return "";
}

std::string port_number_problem(std::int64_t port) {
  return port >= 1 && port <= 65535 ? "" : "must be between 1 and 65535, inclusive";
}

std::string ip_problem(std::string_view text) {
  return IpAddress::parse(text) ? ""
                                : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

std::string cidr_problem(std::string_view text) {
  return Cidr::parse(text) ? "" : "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
}

std::string indexed(std::string_view field, std::size_t index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

namespace {

void check_requirement(FieldChecker &errors, const json &requirement, const std::string &field) {
  errors.check(field + ".key", at(requirement, "key"),
               qualified_name_problem(text(requirement, "key")));
  const auto op = text(requirement, "operator");
  const bool has_values = !list(requirement, "values").empty();
  if (op == "In" || op == "NotIn") {
    if (!has_values)
      errors.required(field + ".values", "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (has_values)
      errors.forbidden(field + ".values",
                       "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else {
    errors.invalid(field + ".operator", op, "not a valid selector operator");
  }
  const auto values = texts(requirement, "values");
  for (std::size_t i = 0; i < values.size(); ++i)
    errors.check(indexed(field + ".values", i), values[i], label_value_problem(values[i]));
}

} // namespace

void check_label_selector(FieldChecker &errors, const json &selector, const std::string &field) {
  for (const auto &[key, value] : map(selector, "matchLabels").items()) {
    errors.check(field + ".matchLabels", key, qualified_name_problem(key));
    errors.check(field + ".matchLabels", value, label_value_problem(text(value, "")));
  }
  const auto &requirements = list(selector, "matchExpressions");
  for (std::size_t i = 0; i < requirements.size(); ++i)
    check_requirement(errors, requirements[i], indexed(field + ".matchExpressions", i));
}

} // namespace sluice::controlplane
