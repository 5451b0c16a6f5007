#include "proxy/events.hpp"

#include "net/hash.hpp"
#include "proxy/rfc3339.hpp"

#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

constexpr const char *kController = "sluice-proxy";
constexpr std::size_t kLongestNote = 1024;

} // namespace

nlohmann::json to_event(const EventNote &note, const std::string &node_name,
                        std::chrono::system_clock::time_point when) {
  const auto &namespace_ = note.about.namespace_.empty() ? "default" : note.about.namespace_;
  const auto number =
      std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
  nlohmann::json regarding = {{"kind", note.kind}, {"apiVersion", "v1"}, {"name", note.about.name}};
  if (!note.about.namespace_.empty())
    regarding["namespace"] = note.about.namespace_;
  // kubectl looks a Node's events up by its name in the place of the uid.
  regarding["uid"] = note.uid.empty() ? note.about.str() : note.uid;
  return {{"apiVersion", "events.k8s.io/v1"},
          {"kind", "Event"},
          {"metadata",
           {{"name", note.about.name + "." + hex(static_cast<std::uint64_t>(number))},
            {"namespace", namespace_}}},
          {"eventTime", rfc3339(when)},
          {"reportingController", kController},
          {"reportingInstance", kController + std::string("-") + node_name},
          {"action", note.action},
          {"reason", note.reason},
          {"regarding", std::move(regarding)},
          {"type", note.type == EventType::Normal ? "Normal" : "Warning"},
          {"note", note.note.substr(0, kLongestNote)}};
}

EventRecorder::EventRecorder(Options options)
    : options_(std::move(options)), tokens_(options_.burst), thread_([this] { run(); }) {}

EventRecorder::~EventRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void EventRecorder::record(EventNote note) {
  {
    const std::lock_guard lock(mutex_);
    const auto now = Time::now();
    std::erase_if(told_, [&](const auto &one) { return now - one.second >= options_.quiet; });
    if (waiting_.size() >= options_.room || told_.size() >= 10 * options_.room ||
        !told_.try_emplace(note, now).second)
      return;
    waiting_.push_back(std::move(note));
  }
  wake_.notify_all();
}

void EventRecorder::refill(Time::time_point now) {
  while (tokens_ < options_.burst && now - refilled_ >= options_.refill) {
    refilled_ += options_.refill;
    ++tokens_;
  }
  if (tokens_ == options_.burst)
    refilled_ = now;
}

void EventRecorder::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    refill(Time::now());
    if (waiting_.empty() || (stopping_ && tokens_ == 0))
      return;
    if (tokens_ == 0) {
      wake_.wait_until(lock, refilled_ + options_.refill, [this] { return stopping_; });
      continue;
    }
    --tokens_;
    const auto note = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const auto event = to_event(note, options_.nodeName, std::chrono::system_clock::now());
    const auto sent = options_.send(event["metadata"]["namespace"], event);
    if (!sent)
      options_.failed(sent.error());
    lock.lock();
    if (stopping_ && !sent)
      return;
  }
}

} // namespace sluice::proxy
