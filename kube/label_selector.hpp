#pragma once
// Which objects a label selector chooses. A selector comes as text (query strings, flags) or as a
// LabelSelector object (NetworkPolicy); both become a LabelMatcher.

#include "kube/objects.hpp"
#include "net/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::kube {

/// A conjunction of requirements. A value; no requirement matches everything.
class LabelMatcher {
public:
  enum class Op : std::uint8_t { in, not_in, exists, absent, greater, less };
  struct Requirement {
    std::string key;
    Op op = Op::exists;
    std::vector<std::string> values; ///< sorted, without doubles
    friend bool operator==(const Requirement &, const Requirement &) = default;
    friend auto operator<=>(const Requirement &, const Requirement &) = default;
  };

  LabelMatcher() = default;
  /// "a=b,c==d,e!=f,g in (x,y),h notin (z),i,!j,k>1,l<9". invalid_input names the part.
  static Result<LabelMatcher> parse(std::string_view text);
  /// From an API object, under the API server's rules: In and NotIn need values, Exists and
  /// DoesNotExist take none.
  static Result<LabelMatcher> from(const LabelSelector &selector);

  /// `!=` and `notin` also hold for a key that is absent.
  bool matches(const Labels &labels) const;
  bool everything() const noexcept { return requirements_.empty(); }
  /// Sorted; equal selectors have equal requirements.
  const std::vector<Requirement> &requirements() const noexcept { return requirements_; }
  /// Canonical text that `parse` takes.
  std::string str() const;

  friend bool operator==(const LabelMatcher &, const LabelMatcher &) = default;
  friend auto operator<=>(const LabelMatcher &, const LabelMatcher &) = default;

private:
  Result<> add(Requirement requirement);
  void sort();
  std::vector<Requirement> requirements_;
};

/// A qualified name: "app", "example.com/app" (at most 63 characters behind a DNS subdomain).
bool is_label_key(std::string_view text) noexcept;
/// At most 63 letters, digits, '-', '_', '.', beginning and ending with a letter or digit; or
/// empty.
bool is_label_value(std::string_view text) noexcept;

} // namespace sluice::kube
