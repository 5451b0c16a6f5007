#include "controlplane/registry/tests/test_registry.hpp"
#include "net/mailbox.hpp"

namespace sluice::controlplane {
namespace {

/// Events as text: "+a" added, "~a" modified, "-a" deleted, "|" bookmark, "|!" end of the initial
/// ones, "E410" error, "." end.
class Recorder {
public:
  Registry::Sink sink() {
    return [events = events_](const WatchEvent &event) {
      if (event.kind != WatchEvent::Kind::tick)
        events->put(event);
      return event.kind != WatchEvent::Kind::end && event.kind != WatchEvent::Kind::error;
    };
  }
  /// The next `count` events.
  std::string next(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      auto event = take();
      text += (text.empty() ? "" : " ") + (event ? describe(*event) : "(nothing)");
    }
    return text;
  }
  std::optional<WatchEvent> take() {
    return events_->take_until(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  }
  bool quiet() { return events_->size() == 0; }

  static std::string describe(const WatchEvent &event) {
    switch (event.kind) {
    case WatchEvent::Kind::added:
      return "+" + event.object->key.name;
    case WatchEvent::Kind::modified:
      return "~" + event.object->key.name;
    case WatchEvent::Kind::deleted:
      return "-" + event.object->key.name;
    case WatchEvent::Kind::bookmark:
      return event.initial_end ? "|!" : "|";
    case WatchEvent::Kind::error:
      return "E" + std::to_string(event.error->code);
    default:
      return ".";
    }
  }

private:
  std::shared_ptr<Mailbox<WatchEvent>> events_ = std::make_shared<Mailbox<WatchEvent>>();
};

class controlplane_watch : public RegistryTest {
protected:
  const ResourceType &type = *find_by_kind("v1", "ConfigMap");
  Recorder recorder;

  void watch(const WatchOptions &options) {
    const auto id = registry->watch(type, options, recorder.sink());
    ASSERT_TRUE(id) << to_text(id.error());
  }
  void set_label(const std::string &name, const std::string &value) {
    ASSERT_TRUE(registry->mutate(type, {"default", name}, [&value](json &map) -> ApiResult<> {
      map["metadata"]["labels"]["app"] = value;
      return {};
    }));
  }
  void remove(const std::string &name) { ASSERT_TRUE(registry->remove(type, {"default", name})); }
};

TEST_F(controlplane_watch, without_a_version_begins_with_the_present_state) {
  must_create("ConfigMap", config("a"));
  watch({});
  must_create("ConfigMap", config("b"));
  set_label("a", "x");
  remove("a");
  EXPECT_EQ(recorder.next(4), "+a +b ~a -a");
}

TEST_F(controlplane_watch, from_a_version_sends_what_came_after_it) {
  const auto a = must_create("ConfigMap", config("a"));
  must_create("ConfigMap", config("b"));
  WatchOptions options;
  options.resourceVersion = std::to_string(a->resourceVersion);
  watch(options);
  remove("b");
  EXPECT_EQ(recorder.next(2), "+b -b");
}

TEST_F(controlplane_watch, a_selector_turns_leaving_into_deletion_and_entering_into_addition) {
  must_create("ConfigMap", config("a"));
  WatchOptions options;
  options.selection.labels = *parse_label_selector("app=web");
  watch(options);
  set_label("a", "web");
  set_label("a", "db");
  const auto entered = recorder.take(), left = recorder.take();
  ASSERT_TRUE(entered && left);
  EXPECT_EQ(Recorder::describe(*entered), "+a");
  EXPECT_EQ(Recorder::describe(*left), "-a");
  const json last = left->object->document();
  EXPECT_EQ(last["metadata"]["labels"]["app"], "web") << "the last state that was selected";
  EXPECT_EQ(last["metadata"]["resourceVersion"], std::to_string(registry->resource_version()));
}

TEST_F(controlplane_watch, watch_list_marks_the_end_of_the_initial_events) {
  must_create("ConfigMap", config("a"));
  WatchOptions options;
  options.sendInitialEvents = true;
  options.resourceVersionMatch = "NotOlderThan";
  options.bookmarks = true;
  watch(options);
  EXPECT_EQ(recorder.next(1), "+a");
  const auto mark = recorder.take();
  ASSERT_TRUE(mark);
  const auto frame = json::parse(*mark->line());
  EXPECT_EQ(frame["type"], "BOOKMARK");
  EXPECT_EQ(frame["object"]["kind"], "ConfigMap");
  EXPECT_EQ(frame["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  EXPECT_EQ(frame["object"]["metadata"]["resourceVersion"],
            std::to_string(registry->resource_version()));
}

TEST_F(controlplane_watch, wrong_combinations_are_refused) {
  WatchOptions no_match;
  no_match.sendInitialEvents = true;
  EXPECT_EQ(registry->watch(type, no_match, recorder.sink()).error().code, 422);
  WatchOptions only_match;
  only_match.resourceVersionMatch = "NotOlderThan";
  EXPECT_EQ(registry->watch(type, only_match, recorder.sink()).error().code, 422);
  WatchOptions bad_version;
  bad_version.resourceVersion = "x";
  EXPECT_EQ(registry->watch(type, bad_version, recorder.sink()).error().code, 400);
}

TEST_F(controlplane_watch, a_version_that_is_forgotten_is_an_expired_error_event) {
  Registry::Options options;
  options.history = 3;
  open(options);
  const auto a = must_create("ConfigMap", config("a"));
  for (const char *value : {"1", "2", "3", "4", "5"})
    set_label("a", value);
  WatchOptions old;
  old.resourceVersion = std::to_string(a->resourceVersion);
  watch(old);
  const auto event = recorder.take();
  ASSERT_TRUE(event);
  const auto frame = json::parse(*event->line());
  EXPECT_EQ(frame["type"], "ERROR");
  EXPECT_EQ(frame["object"]["reason"], "Expired");
  EXPECT_EQ(frame["object"]["code"], 410);
}

TEST_F(controlplane_watch, bookmarks_come_and_the_timeout_ends_it) {
  Registry::Options options;
  options.bookmarkInterval = std::chrono::milliseconds(1);
  open(options);
  WatchOptions wanted;
  wanted.bookmarks = true;
  wanted.timeout = std::chrono::seconds(1);
  watch(wanted);
  std::string all;
  while (!all.ends_with("."))
    all += recorder.next(1);
  EXPECT_TRUE(all.starts_with("|")) << all;
}

TEST_F(controlplane_watch, closing_the_registry_ends_every_watch) {
  watch({});
  registry->close();
  EXPECT_EQ(recorder.next(1), ".");
  Recorder late;
  ASSERT_TRUE(registry->watch(type, {}, late.sink()));
  EXPECT_EQ(late.next(1), ".");
}

TEST_F(controlplane_watch, nothing_comes_after_unwatch) {
  const auto id = registry->watch(type, {}, recorder.sink());
  ASSERT_TRUE(id);
  registry->unwatch(*id);
  must_create("ConfigMap", config("a"));
  Recorder other;
  ASSERT_TRUE(registry->watch(type, {}, other.sink()));
  EXPECT_EQ(other.next(1), "+a");
  EXPECT_TRUE(recorder.quiet());
}

TEST_F(controlplane_watch,
       every_watcher_sees_every_change_once_and_in_order_however_late_it_comes) {
  constexpr int kWrites = 200, kWatchers = 20;
  const auto first = must_create("ConfigMap", config("a"));
  std::thread writer([this] {
    for (int i = 0; i < kWrites; ++i)
      set_label("a", "v" + std::to_string(i));
  });
  std::vector<Recorder> recorders(kWatchers);
  WatchOptions options;
  options.resourceVersion = std::to_string(first->resourceVersion);
  for (auto &each : recorders)
    ASSERT_TRUE(registry->watch(type, options, each.sink()));
  writer.join();
  for (auto &each : recorders) {
    std::uint64_t last = first->resourceVersion;
    for (int i = 0; i < kWrites; ++i) {
      const auto event = each.take();
      ASSERT_TRUE(event);
      EXPECT_EQ(event->resourceVersion, last + 1);
      last = event->resourceVersion;
    }
    EXPECT_TRUE(each.quiet());
  }
}

TEST_F(controlplane_watch, after_a_restart_a_watch_goes_on_if_its_kind_has_not_changed) {
  must_create("ConfigMap", config("a"));
  const auto version = must_create("Node", {{"metadata", {{"name", "n"}}}})->resourceVersion;
  open();
  WatchOptions options;
  options.resourceVersion = std::to_string(version);
  watch(options);
  must_create("ConfigMap", config("b"));
  EXPECT_EQ(recorder.next(1), "+b");
  Recorder other;
  options.resourceVersion = "1";
  ASSERT_TRUE(registry->watch(type, options, other.sink()));
  EXPECT_EQ(other.next(1), "E410");
}

} // namespace
} // namespace sluice::controlplane
