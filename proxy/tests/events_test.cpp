#include "proxy/events.hpp"

#include <future>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

EventNote note(const std::string &text) {
  return {"Service",
          {"ns1", "svc1"},
          "uid-1",
          EventType::Warning,
          "FailedToStartServiceHealthcheck",
          "Listen",
          text};
}

TEST(proxy_events, an_event_is_what_the_api_takes) {
  const auto event = to_event(note("port 30000 is taken"), "n1", {});
  EXPECT_EQ(event["apiVersion"], "events.k8s.io/v1");
  EXPECT_EQ(event["metadata"]["namespace"], "ns1");
  EXPECT_EQ(event["regarding"]["kind"], "Service");
  EXPECT_EQ(event["regarding"]["name"], "svc1");
  EXPECT_EQ(event["regarding"]["uid"], "uid-1");
  EXPECT_EQ(event["type"], "Warning");
  EXPECT_EQ(event["reportingInstance"], "sluice-proxy-n1");
  EXPECT_EQ(event["eventTime"], "1970-01-01T00:00:00.000000Z");
  const auto of_node = to_event(
      {"Node", {"", "n1"}, "", EventType::Normal, "Starting", "StartKubeProxy", ""}, "n1", {});
  EXPECT_EQ(of_node["metadata"]["namespace"], "default");
  EXPECT_EQ(of_node["regarding"]["uid"], "n1");
  EXPECT_EQ(to_event(note(std::string(5000, 'x')), "n1", {})["note"].get<std::string>().size(),
            1024U);
}

/// Collects what would go to the API server.
struct Server {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> notes;
  unsigned refusals = 0, refused = 0;

  EventRecorder::Options options() {
    EventRecorder::Options options;
    options.nodeName = "n1";
    options.send = [this](const std::string &, const json &event) -> Result<> {
      const std::lock_guard lock(mutex);
      changed.notify_all();
      if (refusals > 0) {
        --refusals;
        return fail(Errc::no_permission, "no");
      }
      notes.push_back(event["note"]);
      return {};
    };
    options.failed = [this](const Error &) { ++refused; };
    return options;
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, [&] { return notes.size() >= count; });
  }
};

TEST(proxy_events, the_same_is_told_once_and_a_refusal_loses_one) {
  Server server;
  server.refusals = 1;
  EventRecorder recorder(server.options());
  for (const auto *text : {"a", "b", "b", "c"})
    recorder.record(note(text));
  ASSERT_TRUE(server.wait_for(2));
  EXPECT_EQ(server.notes, (std::vector<std::string>{"b", "c"}));
}

TEST(proxy_events, more_than_the_burst_waits_for_its_turn) {
  Server server;
  auto options = server.options();
  options.burst = 2;
  options.refill = 30ms;
  EventRecorder recorder(std::move(options));
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i)
    recorder.record(note(std::to_string(i)));
  ASSERT_TRUE(server.wait_for(4));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 55ms);
}

TEST(proxy_events, what_there_is_no_room_for_is_dropped_and_nobody_waits) {
  Server server;
  auto options = server.options();
  options.burst = 1;
  options.refill = 1h;
  options.room = 2;
  EventRecorder recorder(std::move(options));
  for (int i = 0; i < 1000; ++i)
    recorder.record(note(std::to_string(i)));
  EXPECT_TRUE(server.wait_for(1));
}

} // namespace
} // namespace sluice::proxy
