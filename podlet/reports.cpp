#include "podlet/reports.hpp"

#include "kube/daemon/log.hpp"
#include "podlet/pod_status.hpp"

#include <nlohmann/json.hpp>

namespace sluice::podlet {
namespace {

using nlohmann::json;
namespace log = kube::daemon;

constexpr std::chrono::milliseconds kRetry{500};
constexpr std::chrono::seconds kTimeout{5};

/// Trying again cannot help: the pod is another one by now, or the server refuses the text.
bool is_final(Errc code) {
  return code == Errc::not_found || code == Errc::conflict || code == Errc::invalid_input;
}

} // namespace

ApiReports::ApiReports(kube::ApiClient &client, std::string node_name)
    : client_(client), node_name_(std::move(node_name)), thread_([this] { run(); }) {}

ApiReports::~ApiReports() {
  mailbox_.close();
  thread_.join();
}

void ApiReports::status(const kube::ObjectKey &pod, const std::string &uid, std::string patch) {
  mailbox_.put({pod, uid, std::move(patch), "", false});
}

void ApiReports::gone(const kube::ObjectKey &pod, const std::string &uid) {
  mailbox_.put({pod, uid, "", "", true});
}

void ApiReports::event(const kube::Pod &pod, const std::string &type, const std::string &reason,
                       const std::string &message) {
  const auto now = to_rfc3339(std::chrono::system_clock::now());
  const json event{
      {"apiVersion", "v1"},
      {"kind", "Event"},
      {"metadata",
       {{"generateName", pod.metadata.name + "."}, {"namespace", pod.metadata.namespace_}}},
      {"involvedObject",
       {{"apiVersion", "v1"},
        {"kind", "Pod"},
        {"namespace", pod.metadata.namespace_},
        {"name", pod.metadata.name},
        {"uid", pod.metadata.uid}}},
      {"type", type},
      {"reason", reason},
      {"message", message},
      {"source", {{"component", "sluice-podlet"}, {"host", node_name_}}},
      {"firstTimestamp", now},
      {"lastTimestamp", now},
      {"count", 1}};
  mailbox_.put({{pod.metadata.namespace_, pod.metadata.name},
                pod.metadata.uid,
                "",
                event.dump(-1, ' ', false, json::error_handler_t::replace),
                false});
}

void ApiReports::take(News news) {
  if (!news.event.empty())
    return send_event(news);
  auto &pending = pending_[news.uid];
  pending.pod = news.pod;
  if (!news.patch.empty())
    pending.patch = std::move(news.patch);
  pending.gone = pending.gone || news.gone;
}

void ApiReports::run() {
  while (!mailbox_.closed() || mailbox_.size() > 0) {
    auto news = pending_.empty() ? mailbox_.take()
                                 : mailbox_.take_until(std::chrono::steady_clock::now() + kRetry);
    for (; news; news = mailbox_.try_take())
      take(std::move(*news));
    send_all();
  }
}

void ApiReports::send_all() {
  for (auto entry = pending_.begin(); entry != pending_.end();) {
    auto sent = send(entry->first, entry->second);
    if (!sent && !is_final(sent.error().code())) {
      log::log_debug("cannot report a pod yet",
                     {{"pod", entry->second.pod.str()}, {"error", sent.error()}});
      ++entry;
      continue;
    }
    if (!sent && sent.error().code() == Errc::invalid_input)
      log::log_warning("the API server refuses the status of a pod",
                       {{"pod", entry->second.pod.str()}, {"error", sent.error()}});
    entry = pending_.erase(entry);
  }
}

Result<> ApiReports::send(const std::string &uid, Pending &pending) {
  const auto path = kube::path_of(kube::rest_of<kube::Pod>(), pending.pod);
  kube::HttpRequest request;
  request.timeout = kTimeout;
  if (!pending.patch.empty()) {
    request.method = "PATCH";
    request.path = path + "/status";
    request.contentType = "application/merge-patch+json";
    request.body = pending.patch;
    if (auto patched = client_.call(request); !patched)
      return fail(std::move(patched.error()));
    pending.patch.clear();
  }
  if (!pending.gone)
    return {};
  request.method = "DELETE";
  request.path = path;
  request.contentType = "application/json";
  request.body = json{{"apiVersion", "v1"},
                      {"kind", "DeleteOptions"},
                      {"gracePeriodSeconds", 0},
                      {"preconditions", {{"uid", uid}}}}
                     .dump();
  if (auto removed = client_.call(request); !removed)
    return fail(std::move(removed.error()));
  return {};
}

void ApiReports::send_event(const News &news) {
  kube::HttpRequest request;
  request.timeout = kTimeout;
  request.method = "POST";
  request.path = "/api/v1/namespaces/" + news.pod.namespace_ + "/events";
  request.contentType = "application/json";
  request.body = news.event;
  if (auto sent = client_.call(request); !sent)
    log::log_debug("an event was lost", {{"pod", news.pod.str()}, {"error", sent.error()}});
}

} // namespace sluice::podlet
