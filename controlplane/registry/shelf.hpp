#pragma once
// All objects of one kind that are visible, and their recent past.

#include "controlplane/registry/registry.hpp"

#include <deque>
#include <map>

namespace sluice::controlplane {

/// One change that has become visible.
struct Revision {
  enum class Kind : std::uint8_t { added, modified, deleted };
  Kind kind;
  const ResourceType *type;
  StoredPtr object;   ///< for deleted: the last state, at the version of the deletion
  StoredPtr previous; ///< unset for added
  std::uint64_t version() const { return object->resourceVersion; }
};

/// Not thread-safe.
class Shelf {
public:
  /// Keeps `history` revisions. What happened up to `complete_after` is not known.
  Shelf(const ResourceType &type, std::size_t history, std::uint64_t complete_after);

  /// At start: an object without a history.
  void load(StoredPtr object);
  void apply(Revision revision);

  StoredPtr find(const Key &key) const;
  const std::map<Key, StoredPtr> &objects() const noexcept { return objects_; }
  /// Changes after this version are all known.
  std::uint64_t complete_after() const noexcept { return complete_after_; }
  /// The changes after `version`, which must not be below `complete_after`.
  std::vector<Revision> after(std::uint64_t version) const;

  /// The objects of a selection at `version`; 410 if that is too long ago.
  ApiResult<std::map<Key, StoredPtr>> at(std::uint64_t version) const;
  /// One page. `visible` is the newest version of the registry.
  ApiResult<ListResult> list(const ListOptions &options, std::uint64_t visible) const;

private:
  const ResourceType &type_;
  std::size_t history_limit_;
  std::uint64_t complete_after_;
  std::map<Key, StoredPtr> objects_;
  std::deque<Revision> history_;
};

/// The `continue` of a list: where the next page begins, and at which version.
struct ContinueToken {
  std::uint64_t version = 0; ///< 0: the newest ("inconsistent continuation")
  Key start;                 ///< the first object of the next page is after this one
  std::string str() const;
  /// 400 for anything that `str` has not made.
  static ApiResult<ContinueToken> parse(std::string_view text);
};

/// "" and "0" are 0; anything but a number is 400.
ApiResult<std::uint64_t> parse_resource_version(std::string_view text);

} // namespace sluice::controlplane
