#pragma once
// All objects of the control plane: the one way to read and change them, for HTTP handlers and
// controllers alike. Thread-safe.
//
// Reads come from memory. A write is checked, goes through the admission hooks, gets the next
// resourceVersion, is committed to disk, and only then becomes visible and is acknowledged: nobody
// ever sees a state that a crash could take back.

#include "controlplane/registry/api_error.hpp"
#include "controlplane/registry/selector.hpp"
#include "controlplane/store/store.hpp"
#include "net/result.hpp"

#include <atomic>
#include <chrono>
#include <memory>

namespace sluice::controlplane {

using Bytes = std::shared_ptr<const std::string>;

/// `namespace_` is empty for cluster-wide kinds.
struct Key {
  std::string namespace_, name;
  friend auto operator<=>(const Key &, const Key &) = default;
};

/// One version of one object; immutable, shared by readers, watchers and the history.
struct Stored {
  Key key;
  std::string uid;
  std::uint64_t resourceVersion = 0;
  Labels labels;
  std::vector<std::string> fields; ///< the values of ResourceType::fieldLabels, in their order
  Bytes bytes;                     ///< the whole document as JSON
  bool deleting = false;           ///< deletionTimestamp is set
  std::chrono::steady_clock::time_point written;

  /// Parses `bytes`.
  json document() const;
};
using StoredPtr = std::shared_ptr<const Stored>;

/// True if the object is in `namespace_` (empty: all) and both selectors take it.
struct Selection {
  std::string namespace_;
  kube::LabelMatcher labels;
  kube::FieldMatcher fields;
  bool matches(const ResourceType &type, const Stored &object) const;
};

struct ListOptions {
  Selection selection;
  std::uint64_t limit = 0; ///< 0: all
  std::string continueToken;
  std::string resourceVersion, resourceVersionMatch; ///< as in the query string
};
struct ListResult {
  std::vector<StoredPtr> items; ///< in order of (namespace, name)
  std::uint64_t resourceVersion = 0;
  std::string continueToken;
  std::optional<std::uint64_t> remaining; ///< unset with a selector
};

struct WatchEvent {
  enum class Kind : std::uint8_t {
    added,
    modified,
    deleted,
    bookmark, ///< only `resourceVersion`; `initial_end` marks the end of the initial events
    error,    ///< `error` is set; the last event
    end,      ///< the timeout passed or the registry closes; the last event
    tick,     ///< nothing happened for some seconds; return false if nobody listens any more
  };
  Kind kind;
  const ResourceType *type = nullptr;
  StoredPtr object;
  std::uint64_t resourceVersion = 0;
  bool initial_end = false;
  std::optional<ApiError> error;
  /// The frame of the HTTP watch, `{"type":...,"object":...}\n`; nullptr for end and tick. Made
  /// once for all watchers; not thread-safe, call it from the sink.
  Bytes line() const;

  mutable Bytes cached_line;
};

/// "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
std::string_view name_of(WatchEvent::Kind kind) noexcept;

struct WatchOptions {
  Selection selection;
  /// Unset or 0: the present state as `added` events, then changes. Else changes after it; 410 if
  /// that is no longer in memory.
  std::string resourceVersion, resourceVersionMatch;
  std::optional<bool> sendInitialEvents;
  bool bookmarks = false;
  std::optional<std::chrono::seconds> timeout;
};

/// What an admission hook sees and may change.
struct AdmissionRequest {
  enum class Operation : std::uint8_t { create, update, remove };
  Operation operation;
  const ResourceType *type;
  Key key;
  std::string subresource; ///< "", "status"
  json *object;            ///< the new state, may be changed; nullptr for remove
  const json *old;         ///< nullptr for create
  bool dry_run = false;
};

/// Runs under the registry's write lock, in the order of registration, so that what it keeps (which
/// addresses are taken) and the store never disagree. Must not call the registry.
class Admission {
public:
  virtual ~Admission() = default;
  /// Allocate, change `object`, or refuse.
  virtual ApiResult<> admit(AdmissionRequest &request) = 0;
  /// The write that `admit` has let pass does not happen (dry run, a later hook refused, the disk
  /// is full): give back what was taken.
  virtual void undo(const AdmissionRequest &request) = 0;
};

struct WriteOptions {
  bool dry_run = false;
  /// "" or "status"; "binding" and "finalize" write what no client may write otherwise
  /// (spec.nodeName, spec.finalizers of a Namespace): the change is trusted, not checked.
  std::string subresource;
};
struct DeleteOptions {
  std::optional<std::int64_t> gracePeriodSeconds;
  std::string uid, resourceVersion; ///< preconditions, if not empty
  std::string propagationPolicy;    ///< Background (default), Foreground, Orphan
  bool dry_run = false;
};
struct DeleteResult {
  StoredPtr object; ///< the last state, or the state with its deletionTimestamp
  bool removed = false;
};

class Registry {
public:
  struct Options {
    std::size_t history = 10000; ///< changes kept per kind for watches
    std::chrono::milliseconds bookmarkInterval{60000}, tickInterval{5000};
    std::chrono::seconds memoryTtl{3600};
    std::chrono::milliseconds futureVersionWait{3000};
  };
  /// Loads everything. `types` must outlive the registry.
  static Result<std::unique_ptr<Registry>> open(const std::vector<ResourceType> &types,
                                                std::unique_ptr<Store> store, Options options);
  ~Registry();

  /// Before the first write. The hook lives until `close`.
  void add_admission(Admission &hook);

  ApiResult<StoredPtr> get(const ResourceType &type, const Key &key) const;
  ApiResult<ListResult> list(const ResourceType &type, const ListOptions &options) const;
  /// Everything of a kind.
  std::vector<StoredPtr> all(const ResourceType &type) const;
  /// The newest resourceVersion that is visible.
  std::uint64_t resource_version() const;

  /// `object` holds metadata.name or generateName, and the namespace. The stored state comes back.
  ApiResult<StoredPtr> create(const ResourceType &type, json object, WriteOptions options = {});
  /// Replaces the object of the same name. A metadata.resourceVersion or uid in it must be current
  /// (409 Conflict); without, it is replaced whatever it was.
  ApiResult<StoredPtr> update(const ResourceType &type, json object, WriteOptions options = {});
  /// Reads, lets `change` edit the document, and writes; again with the newer state if somebody
  /// else wrote in between and `change` did not set metadata.resourceVersion itself. An error from
  /// `change` ends it. A document that `change` leaves as it was is not written.
  using Change = std::function<ApiResult<>(json &document)>;
  ApiResult<StoredPtr> mutate(const ResourceType &type, const Key &key, const Change &change,
                              WriteOptions options = {});
  ApiResult<DeleteResult> remove(const ResourceType &type, const Key &key,
                                 const DeleteOptions &options = {});

  /// Calls `sink` with each event in order: the initial ones on this thread before `watch` returns,
  /// later ones on the registry's delivery thread, so it must not block and must not call
  /// `unwatch`. Returning false ends the watch. Errors of the request itself come back here; a
  /// version that is too old comes as an `error` event.
  using Sink = std::function<bool(const WatchEvent &event)>;
  using WatchId = std::uint64_t;
  ApiResult<WatchId> watch(const ResourceType &type, const WatchOptions &options, Sink sink);
  /// The errors that `watch` would return for these options, without waiting or watching.
  static ApiResult<> check_watch(const WatchOptions &options);
  /// After this returns the sink is not called any more.
  void unwatch(WatchId id);
  /// Ends every watch with `end`; later watches are ended at once. Writes that have not begun are
  /// refused with 503; no admission hook is called any more.
  void close();

private:
  class Impl;
  explicit Registry(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::controlplane
