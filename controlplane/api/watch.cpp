#include "controlplane/api/call.hpp"
#include "controlplane/api/table.hpp"
#include "controlplane/resources/access.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <random>

namespace sluice::controlplane {
namespace {

/// What a watcher may have unsent, beyond its initial events, before it is cut off: it lists again
/// when it comes back.
constexpr std::size_t kBacklogLimitBytes = 32U << 20;

/// The HTTP side of one watch; called by one thread at a time (see Registry::Sink).
class WatchWriter {
public:
  WatchWriter(const ResourceType &type, ObjectForm form, std::string include,
              std::shared_ptr<kube::http::Stream> stream)
      : type_(type), form_(std::move(form)), include_(std::move(include)),
        stream_(std::move(stream)) {}

  bool take(const WatchEvent &event) {
    if (event.kind == WatchEvent::Kind::tick)
      return stream_->write(nullptr); // only asks whether the client is still there
    if (event.kind == WatchEvent::Kind::end) {
      stream_->close();
      return false;
    }
    const auto line = form_.kind == ObjectForm::Kind::plain ? event.line() : converted(event);
    if (!stream_->write(line))
      return false;
    if (event.kind == WatchEvent::Kind::error || falls_behind(line->size())) {
      stream_->close();
      return false;
    }
    return true;
  }

  void initial_events_are_sent() { initial_ = false; }

private:
  bool falls_behind(std::size_t size) {
    if (initial_)
      allowance_ += size;
    return stream_->pending_bytes() > allowance_;
  }

  Bytes converted(const WatchEvent &event) {
    if (event.kind == WatchEvent::Kind::error)
      return event.line();
    json object;
    if (event.kind == WatchEvent::Kind::bookmark)
      object = bookmark(event);
    else if (form_.kind == ObjectForm::Kind::metadata)
      object = make_partial(event.object->document(), form_.version);
    else
      object = table({event.object});
    return std::make_shared<const std::string>(
        dump({{"type", name_of(event.kind)}, {"object", std::move(object)}}) + "\n");
  }

  json bookmark(const WatchEvent &event) {
    json metadata = {{"resourceVersion", std::to_string(event.resourceVersion)}};
    if (event.initial_end)
      metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
    if (form_.kind == ObjectForm::Kind::metadata)
      return make_partial({{"metadata", std::move(metadata)}}, form_.version);
    json object = table({});
    object["metadata"] = metadata;
    object["rows"] = json::array({{{"cells", json::array()},
                                   {"object",
                                    {{"kind", type_.kind},
                                     {"apiVersion", type_.api_version()},
                                     {"metadata", std::move(metadata)}}}}});
    return object;
  }

  json table(const std::vector<StoredPtr> &objects) {
    const bool first = std::exchange(first_, false);
    json result = make_table(type_, objects, form_.version, include_,
                             std::chrono::system_clock::now(), first);
    if (!objects.empty())
      result["metadata"] = {{"resourceVersion", std::to_string(objects[0]->resourceVersion)}};
    return result;
  }

  const ResourceType &type_;
  const ObjectForm form_;
  const std::string include_;
  const std::shared_ptr<kube::http::Stream> stream_;
  std::size_t allowance_ = kBacklogLimitBytes;
  std::atomic<bool> initial_ = true;
  bool first_ = true;
};

/// timeoutSeconds=, or half an hour to an hour: clients are spread when all come back.
std::chrono::seconds timeout_of(const std::string &text) {
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (seconds > 0)
    return std::chrono::seconds(seconds);
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::seconds(std::uniform_int_distribution<>(1800, 3600)(random));
}

ApiResult<WatchOptions> options_of(const Call &call) {
  auto selection = selection_of(call);
  if (!selection)
    return refuse(selection.error());
  WatchOptions options;
  options.selection = std::move(*selection);
  options.resourceVersion = call.parameter("resourceVersion");
  options.resourceVersionMatch = call.parameter("resourceVersionMatch");
  if (const auto &initial = call.parameter("sendInitialEvents"); !initial.empty())
    options.sendInitialEvents = is_true(initial);
  options.bookmarks = is_true(call.parameter("allowWatchBookmarks"));
  options.timeout = timeout_of(call.parameter("timeoutSeconds"));
  return options;
}

} // namespace

void begin_watch(const Call &call, const std::shared_ptr<kube::http::Exchange> &exchange) {
  const auto form = negotiate_object(call.request.header("accept"));
  const auto options = options_of(call);
  if (!form || !options) {
    exchange->reply(error_answer(form ? options.error()
                                      : not_acceptable("only the following media types are "
                                                       "accepted: application/json")));
    return;
  }
  if (auto possible = call.services.registry.check_watch(*options); !possible) {
    exchange->reply(error_answer(possible.error()));
    return;
  }
  Answer head;
  head.headers.emplace_back("Cache-Control", "no-cache, private");
  const auto writer =
      std::make_shared<WatchWriter>(*call.route.type, *form, call.parameter("includeObject"),
                                    exchange->begin_stream(std::move(head)));
  const auto sink = [writer](const WatchEvent &event) { return writer->take(event); };
  const auto begun = call.services.registry.watch(*call.route.type, *options, sink);
  writer->initial_events_are_sent();
  if (begun)
    return;
  WatchEvent error;
  error.kind = WatchEvent::Kind::error;
  error.error = begun.error();
  (void)writer->take(error);
}

} // namespace sluice::controlplane
