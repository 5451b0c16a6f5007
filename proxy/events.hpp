#pragma once
// What the proxy tells people through the API server: Events (events.k8s.io/v1).

#include "kube/objects.hpp"
#include "net/clock.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <thread>

namespace sluice::proxy {

enum class EventType : std::uint8_t { Normal, Warning };

struct EventNote {
  std::string kind; ///< of what it is about: "Node", "Service"
  kube::ObjectKey about;
  std::string uid; ///< empty: its name stands for it, as kube-proxy does for a Node
  EventType type = EventType::Normal;
  std::string reason, action; ///< CamelCase, as kube-proxy's where the thing is the same
  std::string note;           ///< cut at 1024 bytes, the API's limit
  friend auto operator<=>(const EventNote &, const EventNote &) = default;
};

/// The object to be created. What has no namespace is told in "default". Pure.
nlohmann::json to_event(const EventNote &note, const std::string &node_name,
                        std::chrono::system_clock::time_point when);

/// Sends events on a thread of its own. At most `burst` at once and then one every `refill`; the
/// same again within `quiet` is told once. What is more than `room` is dropped, and so is what the
/// API server refuses: an event is a courtesy. Thread-safe: `mutex_` guards what changes.
class EventRecorder {
public:
  struct Options {
    std::string nodeName;
    std::function<Result<>(const std::string &namespace_, const nlohmann::json &event)> send;
    std::function<void(const Error &)> failed; ///< on the recorder's thread
    unsigned burst = 25;
    std::chrono::milliseconds refill{5000};
    std::chrono::milliseconds quiet{360'000};
    std::size_t room = 100;
  };
  explicit EventRecorder(Options options);
  /// Sends what is waiting, as far as the burst goes and the API server takes it.
  ~EventRecorder();

  /// Returns at once.
  void record(EventNote note);

private:
  using Time = std::chrono::steady_clock;
  void run();
  void refill(Time::time_point now);

  Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<EventNote> waiting_;
  std::map<EventNote, Time::time_point> told_;
  unsigned tokens_;
  Time::time_point refilled_ = Time::now();
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace sluice::proxy
