#include "controlplane/registry/watch_hub.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

WatchEvent event_of(WatchEvent::Kind kind, const ResourceType *type, StoredPtr object) {
  WatchEvent event;
  event.kind = kind;
  event.type = type;
  event.resourceVersion = object->resourceVersion;
  event.object = std::move(object);
  return event;
}

WatchEvent bookmark_at(const ResourceType *type, std::uint64_t version, bool initial_end) {
  WatchEvent event;
  event.kind = WatchEvent::Kind::bookmark;
  event.type = type;
  event.resourceVersion = version;
  event.initial_end = initial_end;
  return event;
}

WatchEvent::Kind kind_of(Revision::Kind kind) {
  switch (kind) {
  case Revision::Kind::added:
    return WatchEvent::Kind::added;
  case Revision::Kind::modified:
    return WatchEvent::Kind::modified;
  case Revision::Kind::deleted:
    break;
  }
  return WatchEvent::Kind::deleted;
}

/// `object` as it was, at another version: what a watcher is told about an object that has left its
/// selection.
StoredPtr at_version(const Stored &object, std::uint64_t version) {
  auto copy = std::make_shared<Stored>(object);
  json document = object.document();
  document["metadata"]["resourceVersion"] = std::to_string(version);
  copy->resourceVersion = version;
  copy->bytes = std::make_shared<const std::string>(dump(document));
  return copy;
}

std::string bookmark_text(const WatchEvent &event) {
  json metadata = {{"resourceVersion", std::to_string(event.resourceVersion)},
                   {"creationTimestamp", nullptr}};
  if (event.initial_end)
    metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  return dump({{"kind", event.type->kind},
               {"apiVersion", event.type->api_version()},
               {"metadata", std::move(metadata)}});
}

} // namespace

std::string_view name_of(WatchEvent::Kind kind) noexcept {
  switch (kind) {
  case WatchEvent::Kind::added:
    return "ADDED";
  case WatchEvent::Kind::modified:
    return "MODIFIED";
  case WatchEvent::Kind::deleted:
    return "DELETED";
  case WatchEvent::Kind::bookmark:
    return "BOOKMARK";
  case WatchEvent::Kind::error:
    return "ERROR";
  case WatchEvent::Kind::end:
  case WatchEvent::Kind::tick:
    break;
  }
  return "";
}

Bytes WatchEvent::line() const {
  if (cached_line || kind == Kind::end || kind == Kind::tick)
    return cached_line;
  const std::string body = kind == Kind::error      ? to_text(*error)
                           : kind == Kind::bookmark ? bookmark_text(*this)
                                                    : *object->bytes;
  std::string text = "{\"type\":\"";
  text += name_of(kind);
  text += "\",\"object\":";
  text += body;
  text += "}\n";
  cached_line = std::make_shared<const std::string>(std::move(text));
  return cached_line;
}

/// `delivery` is held while the sink runs; `backlog_mutex` guards `filling` and `backlog`.
struct WatchHub::Watcher {
  Subscription subscription;
  Registry::Sink sink;
  std::mutex delivery;
  std::atomic<bool> finished = false;
  std::mutex backlog_mutex;
  bool filling = true; ///< `start` still delivers; newer changes queue up in `backlog`
  std::vector<Revision> backlog;
  Clock::time_point next_bookmark, next_tick, deadline = Clock::time_point::max();

  void send(const WatchEvent &event) {
    const std::lock_guard lock(delivery);
    if (!finished && !sink(event))
      finished = true;
  }

  /// `shared` is the event for watchers to whom the object was and is selected.
  void send(const Revision &revision, const WatchEvent &shared) {
    const auto &selection = subscription.selection;
    const bool now = revision.kind != Revision::Kind::deleted &&
                     selection.matches(*revision.type, *revision.object);
    const bool before = revision.previous && selection.matches(*revision.type, *revision.previous);
    if (now && !before && revision.kind == Revision::Kind::modified)
      send(event_of(WatchEvent::Kind::added, revision.type, revision.object));
    else if (!now && before && revision.kind == Revision::Kind::modified)
      send(event_of(WatchEvent::Kind::deleted, revision.type,
                    at_version(*revision.previous, revision.version())));
    else if (now || before)
      send(shared);
  }

  void send(const Revision &revision) {
    send(revision, event_of(kind_of(revision.kind), revision.type, revision.object));
  }

  void send_initial() {
    for (auto &object : subscription.initial)
      send(event_of(WatchEvent::Kind::added, subscription.type, object));
    for (const auto &revision : subscription.backlog)
      send(revision);
    if (subscription.mark_initial_end)
      send(bookmark_at(subscription.type, subscription.after, true));
    subscription.initial.clear();
    subscription.backlog.clear();
  }

  bool wants(const Revision &revision) const {
    return revision.type == subscription.type && revision.version() > subscription.after;
  }

  /// True if the change waits for `start`.
  bool postponed(const Revision &revision) {
    const std::lock_guard lock(backlog_mutex);
    if (filling)
      backlog.push_back(revision);
    return filling;
  }

  bool ready() {
    const std::lock_guard lock(backlog_mutex);
    return !filling;
  }
};

WatchHub::WatchHub(const Registry::Options &options)
    : options_(options), thread_([this] { run(); }) {}

WatchHub::~WatchHub() {
  close();
  thread_.join();
}

void WatchHub::publish(Revision revision) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(revision));
  }
  wake_.notify_one();
}

Registry::WatchId WatchHub::add(Subscription subscription, Registry::Sink sink) {
  auto watcher = std::make_shared<Watcher>();
  watcher->subscription = std::move(subscription);
  watcher->sink = std::move(sink);
  const auto now = Clock::now();
  watcher->next_bookmark = now + options_.bookmarkInterval;
  watcher->next_tick = now + options_.tickInterval;
  if (watcher->subscription.timeout)
    watcher->deadline = now + *watcher->subscription.timeout;
  const std::lock_guard lock(mutex_);
  watchers_[next_id_] = std::move(watcher);
  return next_id_++;
}

void WatchHub::start(Registry::WatchId id) {
  WatcherPtr watcher;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = watchers_.find(id);
    if (entry == watchers_.end())
      return; // closed in the meantime
    watcher = entry->second;
  }
  watcher->send_initial();
  for (;;) {
    std::vector<Revision> waiting;
    {
      const std::lock_guard lock(watcher->backlog_mutex);
      waiting.swap(watcher->backlog);
      watcher->filling = !waiting.empty();
    }
    if (waiting.empty())
      break;
    for (const auto &revision : waiting)
      watcher->send(revision);
  }
  const bool closed = [this] {
    const std::lock_guard lock(mutex_);
    return closing_;
  }();
  if (!closed)
    return;
  WatchEvent end;
  end.kind = WatchEvent::Kind::end;
  watcher->send(end);
  watcher->finished = true;
}

void WatchHub::remove(Registry::WatchId id) {
  WatcherPtr watcher;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = watchers_.find(id);
    if (entry == watchers_.end())
      return;
    watcher = entry->second;
    watchers_.erase(entry);
  }
  const std::lock_guard lock(watcher->delivery);
  watcher->finished = true;
}

void WatchHub::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
}

std::vector<WatchHub::WatcherPtr> WatchHub::watchers() const {
  std::vector<WatcherPtr> all;
  const std::lock_guard lock(mutex_);
  for (const auto &[id, watcher] : watchers_)
    all.push_back(watcher);
  return all;
}

void WatchHub::run() {
  constexpr std::chrono::milliseconds kPulse{500};
  auto next_pulse = Clock::now() + kPulse;
  for (;;) {
    std::vector<Revision> revisions;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, next_pulse, [this] { return closing_ || !queue_.empty(); });
      revisions.swap(queue_);
      if (closing_ && revisions.empty())
        break;
    }
    deliver(revisions);
    if (Clock::now() >= next_pulse) {
      tick(Clock::now());
      forget_finished();
      next_pulse = Clock::now() + kPulse;
    }
  }
  end_all();
}

void WatchHub::deliver(const std::vector<Revision> &revisions) {
  if (revisions.empty())
    return;
  const auto all = watchers();
  for (const auto &revision : revisions) {
    const auto shared = event_of(kind_of(revision.kind), revision.type, revision.object);
    for (const auto &watcher : all)
      if (watcher->wants(revision) && !watcher->postponed(revision))
        watcher->send(revision, shared);
  }
  delivered_ = revisions.back().version();
}

void WatchHub::tick(Clock::time_point now) {
  for (const auto &watcher : watchers()) {
    if (watcher->finished || !watcher->ready())
      continue;
    const bool over = now >= watcher->deadline;
    if (watcher->subscription.bookmarks && (over || now >= watcher->next_bookmark)) {
      const auto version = std::max(delivered_, watcher->subscription.after);
      watcher->send(bookmark_at(watcher->subscription.type, version, false));
      watcher->next_bookmark = now + options_.bookmarkInterval;
    }
    WatchEvent event;
    event.kind = over ? WatchEvent::Kind::end : WatchEvent::Kind::tick;
    if (over || now >= watcher->next_tick)
      watcher->send(event);
    if (now >= watcher->next_tick)
      watcher->next_tick = now + options_.tickInterval;
    if (over)
      watcher->finished = true;
  }
}

void WatchHub::end_all() {
  WatchEvent end;
  end.kind = WatchEvent::Kind::end;
  for (const auto &watcher : watchers()) {
    if (!watcher->ready())
      continue; // `start` sees `closing_` and ends it
    watcher->send(end);
    watcher->finished = true;
  }
}

void WatchHub::forget_finished() {
  const std::lock_guard lock(mutex_);
  std::erase_if(watchers_, [](const auto &entry) { return entry.second->finished.load(); });
}

} // namespace sluice::controlplane
