#pragma once
// labelSelector= and fieldSelector= of the query string.

#include "controlplane/registry/api_error.hpp"

#include <map>

namespace sluice::controlplane {

using Labels = std::map<std::string, std::string, std::less<>>;

/// `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>3,m<9`. A value.
class LabelSelector {
public:
  /// Matches everything.
  LabelSelector() = default;
  static ApiResult<LabelSelector> parse(std::string_view text);
  bool matches(const Labels &labels) const;
  bool empty() const noexcept { return terms_.empty(); }

private:
  enum class Operator : std::uint8_t { in, not_in, exists, absent, greater, less };
  struct Term {
    std::string key;
    Operator op;
    std::vector<std::string> values;
  };
  static ApiResult<Term> parse_term(std::string_view text);
  static bool matches(const Term &term, const Labels &labels);
  std::vector<Term> terms_;
};

/// `a=b,c==d,e!=f`; values may hold `\,`, `\=` and `\\`. A value.
class FieldSelector {
public:
  struct Term {
    std::string field, value;
    bool equal = true;
  };
  FieldSelector() = default;
  /// 400 "field label not supported: x" if `type` has no such label.
  static ApiResult<FieldSelector> parse(std::string_view text, const ResourceType &type);
  const std::vector<Term> &terms() const noexcept { return terms_; }
  bool empty() const noexcept { return terms_.empty(); }
  /// The value that metadata.name must have, if the selector says so.
  std::optional<std::string> required(std::string_view field) const;

private:
  std::vector<Term> terms_;
};

} // namespace sluice::controlplane
