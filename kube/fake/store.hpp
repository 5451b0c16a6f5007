#pragma once
// What the fake API holds: documents with versions, and the history of their changes. The semantics
// of etcd and the API server as far as their clients can tell. Not thread-safe.

#include "kube/api_client.hpp"
#include "kube/field_selector.hpp"
#include "kube/label_selector.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube::fake {

using nlohmann::json;

/// Which documents of a kind a list or a watch is about.
struct Scope {
  std::string namespace_; ///< empty: all
  LabelMatcher labels;
  FieldMatcher fields;
  bool covers(const json &object) const;
};

struct Event {
  std::uint64_t version;
  const RestKind *kind;
  json before, after; ///< null: did not exist, does not exist any more
  /// The event's line for a watch of this scope, or "".
  std::string line_for(const Scope &scope) const;
};

/// An answer that is no success.
struct Refusal {
  int code;
  std::string reason, message;
  json details = nullptr;
  json status() const;
};
template <class T> using Outcome = tl::expected<T, Refusal>;

class Store {
public:
  std::uint64_t version() const noexcept { return version_; }
  /// The oldest version from which a watch can begin.
  std::uint64_t oldest() const noexcept { return oldest_; }
  void compact();

  const json *find(const RestKind &kind, const ObjectKey &key) const;
  std::vector<json> list(const RestKind &kind, const Scope &scope) const;
  std::vector<const Event *> since(const RestKind &kind, std::uint64_t version) const;
  const Event &last_event() const { return history_.back(); }

  Outcome<json> create(const RestKind &kind, const std::string &namespace_, json object);
  /// `subresource` "status" replaces the status alone, "" everything else.
  Outcome<json> replace(const RestKind &kind, const ObjectKey &key, json object,
                        std::string_view subresource);
  Outcome<json> patch(const RestKind &kind, const ObjectKey &key, const json &patch,
                      std::string_view subresource);
  /// A pod on a node goes in two steps, as does whatever has finalizers.
  Outcome<json> remove(const RestKind &kind, const ObjectKey &key,
                       std::optional<std::int64_t> grace_seconds);
  /// Create or replace as it is, whatever the rules.
  json put(const RestKind &kind, json object);
  bool erase(const RestKind &kind, const ObjectKey &key);

private:
  using Shelf = std::map<ObjectKey, json>;
  Outcome<const json *> must_find(const RestKind &kind, const ObjectKey &key) const;
  json commit(const RestKind &kind, const ObjectKey &key, json object);
  json update(const RestKind &kind, const ObjectKey &key, json object);

  std::map<const RestKind *, Shelf> shelves_;
  std::vector<Event> history_;
  std::uint64_t version_ = 1, oldest_ = 1, names_ = 0;
};

json status_document(int code, const std::string &reason, const std::string &message,
                     const json &details = nullptr);

} // namespace sluice::kube::fake
