#pragma once
// fieldSelector= of the query string: "spec.nodeName=n,status.phase!=Failed".

#include "net/result.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::kube {

/// A conjunction of comparisons. A value; none matches everything.
class FieldMatcher {
public:
  struct Term {
    std::string field, value;
    bool equal = true;
    friend bool operator==(const Term &, const Term &) = default;
  };

  FieldMatcher() = default;
  /// Operators =, ==, !=; in a value '\' escapes ',', '=' and '\'.
  static Result<FieldMatcher> parse(std::string_view text);

  /// `value_of(field)` is the object's value of a field as text, "" if it has none.
  bool matches(const std::function<std::string(const std::string &field)> &value_of) const;
  bool everything() const noexcept { return terms_.empty(); }
  const std::vector<Term> &terms() const noexcept { return terms_; }
  /// Text that `parse` takes.
  std::string str() const;

private:
  std::vector<Term> terms_;
};

} // namespace sluice::kube
