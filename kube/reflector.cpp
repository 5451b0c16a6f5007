#include "kube/reflector.hpp"

#include "kube/json_reader.hpp"

#include <charconv>

namespace sluice::kube {
namespace {

constexpr int kPageSize = 500;
constexpr unsigned kServerErrorsBeforeRelist = 5;
constexpr std::chrono::seconds kLongestRetryAfter(300);

/// How a server answers who does not know WatchList or does not want it.
bool refuses_watch_list(int code) {
  return code == 400 || code == 405 || code == 406 || code == 415 || code == 422 || code == 501;
}

bool is_version_too_large(const Status &status) {
  return std::find(status.causes.begin(), status.causes.end(), "ResourceVersionTooLarge") !=
         status.causes.end();
}

std::chrono::seconds seconds_of(const std::string &text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(std::chrono::seconds(value), std::chrono::seconds(0), kLongestRetryAfter);
}

/// The Status of an answer that is no 2xx, whatever its body is.
Status status_of(const HttpResponse &answer) {
  Status status = decode_status(answer.body).value_or(Status{});
  status.code = answer.status;
  status.retryAfterSeconds =
      std::max(status.retryAfterSeconds, static_cast<int>(seconds_of(answer.retryAfter).count()));
  return status;
}

} // namespace

bool LineSplitter::feed(std::string_view bytes,
                        const std::function<bool(std::string_view)> &on_line) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos || rest_.size() + end > limit_) {
      rest_.append(bytes);
      return rest_.size() <= limit_;
    }
    bool go_on = true;
    if (rest_.empty()) {
      go_on = on_line(bytes.substr(0, end));
    } else {
      rest_.append(bytes.substr(0, end));
      go_on = on_line(std::exchange(rest_, {}));
    }
    if (!go_on)
      return false;
    bytes.remove_prefix(end + 1);
  }
  return true;
}

Reflector::Reflector(ApiClient &client, const RestKind &kind, WatchScope scope,
                     InformerOptions options, ReflectorTarget &target)
    : client_(client), kind_(kind), scope_(std::move(scope)), options_(std::move(options)),
      target_(target), backoff_(options_.backoff),
      random_(
          static_cast<std::uint32_t>(options_.seed != 0 ? options_.seed : std::random_device{}())),
      watch_list_(options_.watchList) {}

void Reflector::run() {
  Next next = Next::relist;
  while (!stop_) {
    if (next == Next::wait_watch || next == Next::wait_relist)
      pause();
    if (stop_)
      return;
    if (next == Next::watch || next == Next::wait_watch)
      next = watch(Stage::watching);
    else if (next == Next::plain_list || next == Next::list_once || !watch_list_)
      next = list();
    else
      next = watch(Stage::initial);
    if (next == Next::plain_list)
      watch_list_ = false;
  }
}

void Reflector::stop() {
  const std::lock_guard lock(mutex_);
  stop_.set();
  stopped_.notify_all();
}

InformerStats Reflector::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Reflector::count(std::uint64_t InformerStats::*counter) {
  const std::lock_guard lock(mutex_);
  ++(stats_.*counter);
}

/// What is answered at once by another way to ask belongs to the protocol: a server that wants no
/// WatchList, a version that it has forgotten.
Reflector::Next Reflector::failed(Error error, Next next) {
  count(&InformerStats::errors);
  const bool waits = next == Next::wait_watch || next == Next::wait_relist;
  if (waits && options_.report && !stop_)
    options_.report(std::move(error).in("informer of " + std::string(kind_.plural)));
  return next;
}

double Reflector::chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }

void Reflector::pause() {
  const auto wait = std::max<std::chrono::milliseconds>(
      backoff_.next(std::chrono::steady_clock::now(), chance()), retry_after_);
  retry_after_ = std::chrono::seconds(0);
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, wait, [this] { return stop_.is_set(); });
}

// ---- list ------------------------------------------------------------------------------------

std::string Reflector::scope_query() const {
  std::string query;
  if (!scope_.labelSelector.empty())
    query += "&labelSelector=" + percent_encode(scope_.labelSelector);
  if (!scope_.fieldSelector.empty())
    query += "&fieldSelector=" + percent_encode(scope_.fieldSelector);
  return query;
}

std::string Reflector::list_path(const std::string &resource_version,
                                 const std::string &continue_token, bool paged) const {
  std::string query = scope_query();
  if (!continue_token.empty())
    query += "&continue=" + percent_encode(continue_token);
  else if (!resource_version.empty())
    query += "&resourceVersion=" + percent_encode(resource_version);
  if (paged)
    query += "&limit=" + std::to_string(kPageSize);
  std::string path = path_of(kind_, {scope_.namespace_, ""});
  return query.empty() ? path : path + "?" + query.substr(1);
}

Result<> Reflector::get(const std::string &path, std::chrono::milliseconds silence,
                        HttpResponse &answer) {
  ApiClient::Stream stream; // and not `send`: this sees `stop_`
  stream.path = path;
  stream.silence = silence;
  stream.stop = &stop_;
  stream.on_status = [&](const HttpResponse &head) {
    answer = head;
    return true;
  };
  stream.on_data = [&](std::string_view bytes) {
    answer.body.append(bytes);
    return true;
  };
  return client_.stream(stream);
}

// From any cache first; after a failure not older than what was seen; and only if the server does
// not have that, a consistent read, which costs it most (kubernetes issue 85342).
Reflector::Next Reflector::list() {
  std::string version = resource_version_.empty() ? "0" : resource_version_;
  if (std::exchange(version_unusable_, false))
    version.clear();
  const bool paged = version.empty();
  std::string continue_token;
  target_.begin();
  Next next = list_page(version, continue_token, paged);
  while (next == Next::watch && !continue_token.empty() && !stop_) {
    next = list_page("", continue_token, paged);
    if (next == Next::relist) { // the history under the pages is gone: all in one piece
      target_.begin();
      continue_token.clear();
      version_unusable_ = false;
      next = list_page("", continue_token, false);
    }
  }
  if (next == Next::watch && !stop_)
    target_.commit();
  return next;
}

Reflector::Next Reflector::list_page(const std::string &resource_version,
                                     std::string &continue_token, bool paged) {
  count(&InformerStats::lists);
  HttpResponse answer;
  const auto result =
      get(list_path(resource_version, continue_token, paged), options_.answer, answer);
  if (!result)
    return failed(result.error(), Next::wait_relist);
  if (stop_)
    return Next::wait_relist;
  if (answer.status / 100 != 2) {
    auto error = error_of(answer).in("list");
    const Status status = status_of(answer);
    const bool first_try = !resource_version.empty() || !continue_token.empty();
    if (status.code == 410 || is_version_too_large(status)) {
      version_unusable_ = true;
      return failed(std::move(error), first_try ? Next::relist : Next::wait_relist);
    }
    retry_after_ = std::chrono::seconds(status.retryAfterSeconds);
    return failed(std::move(error), Next::wait_relist);
  }
  std::uint64_t malformed = 0;
  auto head = target_.stage_list(answer.body, malformed);
  for (; malformed > 0; --malformed)
    count(&InformerStats::malformed);
  if (!head)
    return failed(std::move(head.error()).in("list"), Next::wait_relist);
  continue_token = head->continue_;
  resource_version_ = head->resourceVersion;
  return Next::watch;
}

// ---- watch -----------------------------------------------------------------------------------

std::string Reflector::watch_path(Stage stage) {
  const int timeout = 300 + static_cast<int>(chance() * 300);
  std::string query =
      "?watch=true&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(timeout) +
      scope_query();
  if (stage == Stage::initial) {
    query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    if (std::exchange(version_unusable_, false))
      resource_version_.clear();
  }
  if (!resource_version_.empty())
    query += "&resourceVersion=" + percent_encode(resource_version_);
  return path_of(kind_, {scope_.namespace_, ""}) + query;
}

Reflector::Next Reflector::watch(Stage stage) {
  count(&InformerStats::watches);
  Session session{stage};
  if (stage == Stage::initial)
    target_.begin();
  ApiClient::Stream stream;
  stream.path = watch_path(stage);
  stream.silence = stage == Stage::initial ? options_.answer : options_.silence;
  stream.stop = &stop_;
  stream.on_status = [&](const HttpResponse &head) {
    session.head = head;
    return true;
  };
  stream.on_data = [&](std::string_view bytes) {
    if (session.head.status / 100 != 2) {
      session.head.body.append(bytes);
      return true;
    }
    const bool fits =
        session.lines.feed(bytes, [&](std::string_view line) { return on_line(session, line); });
    if (session.stage == Stage::watching)
      stream.silence = options_.silence;
    session.broken = session.broken || (!fits && !session.verdict);
    return fits && !session.broken;
  };
  return after_watch(session, client_.stream(stream));
}

bool Reflector::on_line(Session &session, std::string_view line) {
  if (line.find_first_not_of(" \r\t") == std::string_view::npos)
    return true;
  JsonReader frame(line);
  frame.skip();
  frame.end();
  if (frame.failed()) { // not even JSON: what follows cannot be trusted
    session.broken = true;
    return false;
  }
  const auto event = decode_event(line);
  if (!event) {
    count(&InformerStats::malformed);
    return true;
  }
  if (event->type == "ERROR") {
    session.verdict = on_error_event(event->object, session.stage);
    return false;
  }
  if (event->type == "BOOKMARK")
    return on_bookmark(session, event->object);
  return on_object(session, *event);
}

bool Reflector::on_bookmark(Session &session, std::string_view object) {
  const auto head = decode_head(object);
  if (!head || head->resourceVersion.empty()) {
    count(&InformerStats::malformed);
    return true;
  }
  if (session.stage == Stage::initial && !head->initialEventsEnd) {
    // An ordinary bookmark before the end of the first part: the server did not look at
    // sendInitialEvents, and the end will never come.
    session.verdict = Next::plain_list;
    return false;
  }
  resource_version_ = head->resourceVersion;
  if (session.stage == Stage::watching) {
    server_errors_ = 0;
    return true;
  }
  session.stage = Stage::watching;
  target_.commit();
  return true;
}

bool Reflector::on_object(Session &session, const WatchEvent &event) {
  count(&InformerStats::events);
  ++session.events;
  const bool initial = session.stage == Stage::initial;
  if (const auto result = initial ? target_.stage(event) : target_.apply(event); !result)
    count(&InformerStats::malformed);
  if (initial) // synthetic events are in no order: their versions mean nothing
    return !stop_;
  server_errors_ = 0;
  if (const auto head = decode_head(event.object); head && !head->resourceVersion.empty())
    resource_version_ = head->resourceVersion;
  return !stop_;
}

Reflector::Next Reflector::on_error_event(std::string_view object, Stage stage) {
  const Status status = decode_status(object).value_or(Status{});
  return failed(error_of({status.code, "", "", std::string(object)}).in("watch: ERROR event"),
                after_status(status, stage));
}

Reflector::Next Reflector::after_status(const Status &status, Stage stage) {
  retry_after_ = std::chrono::seconds(
      std::clamp<std::int64_t>(status.retryAfterSeconds, 0, kLongestRetryAfter.count()));
  if (is_version_too_large(status) || status.code == 410) {
    // A WatchList from a version that is gone begins anew without one; a watch lists again, not
    // older than what was seen. Twice in a row without an event in between: not at full speed.
    version_unusable_ = stage == Stage::initial || is_version_too_large(status);
    return server_errors_++ == 0 ? Next::relist : Next::wait_relist;
  }
  if (stage == Stage::initial) {
    if (refuses_watch_list(status.code))
      return Next::plain_list;
    return status.code >= 500 ? Next::list_once : Next::wait_relist;
  }
  if (status.code == 429)
    return Next::wait_watch;
  if (status.code >= 500 && ++server_errors_ < kServerErrorsBeforeRelist)
    return Next::wait_watch;
  server_errors_ = 0;
  return Next::wait_relist;
}

Reflector::Next Reflector::after_watch(const Session &session, const Result<> &result) {
  const Next again = session.stage == Stage::initial ? Next::wait_relist : Next::wait_watch;
  if (session.verdict)
    return *session.verdict;
  if (session.broken)
    return failed({Errc::io, "watch: a line that is not JSON"}, again);
  if (session.head.status != 0 && session.head.status / 100 != 2)
    return failed(error_of(session.head).in("watch"),
                  after_status(status_of(session.head), session.stage));
  if (!result) {
    const bool no_end = session.stage == Stage::initial && session.head.status != 0 &&
                        result.error().code() == Errc::timeout;
    return failed(result.error(), no_end ? Next::list_once : again);
  }
  const auto lasted = std::chrono::steady_clock::now() - session.begun;
  if (session.stage == Stage::watching && (session.events > 0 || lasted >= options_.shortest))
    return Next::watch;
  return stop_ ? again : failed({Errc::unavailable, "watch: the server ended it at once"}, again);
}

} // namespace sluice::kube
