#pragma once
// Field errors worded as kube-apiserver words them, and the name rules that they talk about.

#include "controlplane/resources/resource.hpp"
#include "net/ip_address.hpp"

#include <initializer_list>

namespace sluice::controlplane {

/// Collects what is wrong with an object.
class FieldChecker {
public:
  void required(std::string field, std::string_view detail = "");
  /// `value` is printed as JSON prints it.
  void invalid(std::string field, const json &value, std::string_view detail);
  void not_supported(std::string field, const json &value,
                     std::initializer_list<std::string_view> supported);
  void duplicate(std::string field, const json &value);
  void forbidden(std::string field, std::string_view detail);
  void too_long(std::string field, std::size_t limit);
  void too_many(std::string field, std::size_t count, std::size_t limit);

  /// `problem` from one of the checks below; nothing happens if it is empty.
  void check(std::string field, const json &value, const std::string &problem);
  /// An error unless `old` is null or the value at `path` is the same in both.
  void immutable(const json &object, const json *old, std::string_view path);
  /// One of `supported`; an absent or empty value is an error only if `is_required`.
  void one_of(const json &object, std::string_view path, const std::string &field,
              std::initializer_list<std::string_view> supported, bool is_required = false);

  void add(FieldErrors more);
  FieldErrors take() { return std::move(errors_); }

private:
  void add(std::string_view reason, std::string field, std::string message);
  FieldErrors errors_;
};

// Each of these returns what is wrong with a value, or an empty text.
std::string dns_label_problem(std::string_view text);      ///< RFC 1123 label, 63 characters
std::string dns1035_label_problem(std::string_view text);  ///< as above, and begins with a letter
std::string dns_subdomain_problem(std::string_view text);  ///< RFC 1123 subdomain, 253 characters
std::string qualified_name_problem(std::string_view text); ///< [prefix/]name, as label keys
std::string label_value_problem(std::string_view text);
std::string port_name_problem(std::string_view text); ///< IANA service name, 15 characters
std::string port_number_problem(std::int64_t port);   ///< 1..65535
std::string ip_problem(std::string_view text);
std::string cidr_problem(std::string_view text);

/// matchLabels and matchExpressions of a LabelSelector at `field`.
void check_label_selector(FieldChecker &errors, const json &selector, const std::string &field);
/// "spec.ports[2]"
std::string indexed(std::string_view field, std::size_t index);

} // namespace sluice::controlplane
