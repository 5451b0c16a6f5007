#pragma once
// The protocol of an informer, the same for every kind: when to list, when to watch, and what each
// answer and each event of the server means. What the objects are is the target's business.

#include "kube/api_client.hpp"
#include "kube/backoff.hpp"
#include "kube/codec.hpp"
#include "kube/informer.hpp"

#include <condition_variable>
#include <random>

namespace sluice::kube {

/// What a reflector fills. Called on the reflector's thread.
class ReflectorTarget {
public:
  virtual ~ReflectorTarget() = default;
  /// Begins to collect a new complete state, beside the present one.
  virtual void begin() = 0;
  /// Collects the items of one page. `malformed` counts items that could not be decoded.
  virtual Result<ListHead> stage_list(std::string_view json, std::uint64_t &malformed) = 0;
  /// Collects an event of a WatchList's first part.
  virtual Result<> stage(const WatchEvent &event) = 0;
  /// The collected state replaces the present one.
  virtual void commit() = 0;
  /// A change of the present state: ADDED, MODIFIED or DELETED.
  virtual Result<> apply(const WatchEvent &event) = 0;
  /// A complete state has been there. Thread-safe.
  virtual bool synced() const noexcept = 0;
};

/// Cuts a byte stream into lines. A line longer than the limit is a broken frame.
class LineSplitter {
public:
  explicit LineSplitter(std::size_t limit) : limit_(limit) {}
  /// False if `on_line` says false or a line is too long.
  bool feed(std::string_view bytes, const std::function<bool(std::string_view)> &on_line);

private:
  std::size_t limit_;
  std::string rest_;
};

class Reflector {
public:
  Reflector(ApiClient &client, const RestKind &kind, WatchScope scope, InformerOptions options,
            ReflectorTarget &target);
  /// Until `stop`; on the calling thread.
  void run();
  void stop();
  InformerStats stats() const;

private:
  /// How an attempt ended, and so what comes next.
  enum class Next : std::uint8_t {
    watch,       ///< go on from the last resourceVersion at once
    wait_watch,  ///< the same after a pause
    relist,      ///< the history is gone: a complete state is needed, at once
    wait_relist, ///< the same after a pause
    plain_list,  ///< the server refuses WatchList: list and watch from now on
    list_once,   ///< WatchList does not work now: list this time
  };
  enum class Stage : std::uint8_t { initial, watching };

  /// One watch connection.
  struct Session {
    Stage stage;
    LineSplitter lines{kLineLimit};
    HttpResponse head;
    std::optional<Next> verdict; ///< set by the events; ends the watch
    bool broken = false;
    std::uint64_t events = 0;
    std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  };

  Next list();
  Next list_page(const std::string &resource_version, std::string &continue_token, bool paged);
  Next watch(Stage stage);
  bool on_line(Session &session, std::string_view line);
  bool on_bookmark(Session &session, std::string_view object);
  bool on_object(Session &session, const WatchEvent &event);
  Next on_error_event(std::string_view object, Stage stage);
  Next after_watch(const Session &session, const Result<> &result);
  Next after_status(const Status &status, Stage stage);
  Result<> get(const std::string &path, std::chrono::milliseconds silence, HttpResponse &answer);
  std::string list_path(const std::string &resource_version, const std::string &continue_token,
                        bool paged) const;
  std::string watch_path(Stage stage);
  std::string scope_query() const;
  void pause();
  Next failed(Error error, Next next);
  void count(std::uint64_t InformerStats::*counter);
  double chance();

  static constexpr std::size_t kLineLimit = 64U << 20;

  ApiClient &client_;
  const RestKind &kind_;
  const WatchScope scope_;
  const InformerOptions options_;
  ReflectorTarget &target_;
  Backoff backoff_;
  std::minstd_rand random_;
  std::string resource_version_;  // of the newest thing seen; empty: nothing yet
  bool version_unusable_ = false; // the server does not have it (any more)
  bool watch_list_;               // not refused so far
  unsigned server_errors_ = 0;    // one after the other
  std::chrono::seconds retry_after_{0};

  StopSignal stop_;
  mutable std::mutex mutex_; // guards `stats_`
  std::condition_variable stopped_;
  InformerStats stats_;
};

} // namespace sluice::kube
