#pragma once
// List+watch with a memory: what client-go calls a reflector. One Informer keeps one kind (with one
// selector) in step with the API server and reports each change, by value, to a sink.
//
// Behaviour (reference: client-go tools/cache/reflector.go; KEP-3157 for WatchList):
//   - starts with WatchList (sendInitialEvents); falls back to list + watch for good if refused;
//   - a broken, silent or ended watch is opened again from the last resourceVersion, with back-off;
//   - 410 (as HTTP status or ERROR event) lists again; objects that are gone then are reported
//     deleted, a name with another uid as deleted and added;
//   - bookmarks move the resourceVersion; a malformed event is counted and skipped, the object's
//     previous state stays; a broken frame closes the watch;
//   - an unreachable server changes nothing that was reported before.

#include "kube/backoff.hpp"
#include "kube/objects.hpp"
#include "net/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace sluice::kube {

class ApiClient; // kube/api_client.hpp

/// What to watch.
struct WatchScope {
  std::string namespace_;    ///< empty: all namespaces
  std::string labelSelector; ///< as in the query string, not encoded
  std::string fieldSelector;
};

template <class Object> struct Change {
  enum class Kind : std::uint8_t {
    added,
    modified,
    deleted, ///< `object` is the last state that was reported (see InformerOptions::identitiesOnly)
    synced,  ///< the first complete list has been delivered; sent once. `object` is empty
  };
  Kind kind;
  Object object;
};

struct InformerStats {
  std::uint64_t lists = 0;     ///< pages asked for
  std::uint64_t watches = 0;   ///< watches opened, WatchLists included
  std::uint64_t events = 0;    ///< without bookmarks
  std::uint64_t malformed = 0; ///< objects skipped
  std::uint64_t errors = 0;    ///< failures that were retried
};

/// The defaults are client-go's; tests make them short.
struct InformerOptions {
  BackoffOptions backoff;
  std::chrono::milliseconds silence{180000}; ///< bookmarks come once a minute: this is suspect
  std::chrono::milliseconds answer{30000};   ///< for a list, and for the first part of a WatchList
  std::chrono::milliseconds shortest{1000};  ///< an empty watch that ends sooner is a failure
  bool watchList = true;
  /// For who keeps what it needs of each object itself: no object is held here, only which there
  /// are. Objects of a list are reported as they arrive, and the last state of a deleted one is its
  /// namespace and name.
  bool identitiesOnly = false;
  std::uint64_t seed = 0; ///< of the jitter; 0: by chance
  /// Told of each failure that it has to wait after, on its thread: the place to log it.
  std::function<void(const Error &)> report;
};

/// Runs on a thread of its own from construction to destruction. `sink` is called on that thread,
/// one call at a time; typically it puts the change into a Mailbox. Never called after the
/// destructor returns. Instantiated for every kind of kube/objects.hpp in informer.cpp.
template <class Object> class Informer {
public:
  using Sink = std::function<void(Change<Object>)>;
  /// `client` is shared by informers and outlives them.
  Informer(ApiClient &client, WatchScope scope, Sink sink, InformerOptions options = {});
  ~Informer();
  Informer(const Informer &) = delete;
  Informer &operator=(const Informer &) = delete;

  bool synced() const noexcept;
  InformerStats stats() const noexcept;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube
