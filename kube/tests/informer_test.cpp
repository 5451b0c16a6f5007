// What an informer does in each situation that a real API server can put it into. The order is that
// of the rules in docs/design/kube.md.

#include "kube/informer.hpp"

#include "kube/fake/api_server.hpp"
#include "kube/testing/pki.hpp"
#include "net/mailbox.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube {
namespace {

using namespace std::chrono_literals;
using fake::ApiServer;
using nlohmann::json;

InformerOptions quick() {
  InformerOptions options;
  options.backoff = {5ms, 20ms, 120s};
  options.silence = 60s;
  options.answer = 5s;
  options.shortest = 20ms;
  options.seed = 1;
  return options;
}

ConfigMap config_map(const std::string &name, const std::string &value,
                     const std::string &uid = "") {
  ConfigMap object;
  object.metadata.namespace_ = "ns";
  object.metadata.name = name;
  object.metadata.uid = uid.empty() ? "uid-" + name : uid;
  object.data = {{"v", value}};
  return object;
}

/// "+a=1", "~a=2", "-a=2", "synced".
std::string text_of(const Change<ConfigMap> &change) {
  using Kind = Change<ConfigMap>::Kind;
  if (change.kind == Kind::synced)
    return "synced";
  const char *sign = change.kind == Kind::added ? "+" : change.kind == Kind::modified ? "~" : "-";
  const auto value = change.object.data.find("v"); // identitiesOnly: not of a deleted one
  return sign + change.object.metadata.name + "=" +
         (value == change.object.data.end() ? "" : value->second);
}

/// A fake API with an informer on its ConfigMaps.
class InformerTest : public ::testing::Test {
protected:
  InformerTest() : api_(std::move(*ApiServer::start())) {}

  void start(InformerOptions options = quick(), WatchScope scope = {}) {
    options.report = [this](const Error &error) { errors_.put(error.what()); };
    if (!client_)
      client_ = std::move(*ApiClient::create(api_->config()));
    informer_ = std::make_unique<Informer<ConfigMap>>(
        *client_, std::move(scope),
        [this](Change<ConfigMap> change) { changes_.put(text_of(change)); }, std::move(options));
  }
  InformerOptions without_watch_list() const {
    InformerOptions options = quick();
    options.watchList = false;
    return options;
  }

  std::string next() {
    return changes_.take_until(std::chrono::steady_clock::now() + 5s).value_or("nothing");
  }
  /// The next `count` changes, in the order of their text.
  std::vector<std::string> next(int count) {
    std::vector<std::string> all;
    for (int i = 0; i < count; ++i)
      all.push_back(next());
    std::sort(all.begin(), all.end());
    return all;
  }
  std::string error() {
    return errors_.take_until(std::chrono::steady_clock::now() + 5s).value_or("nothing");
  }
  /// Waits for an error that contains `part`.
  bool error_with(const std::string &part) {
    for (std::string text = error(); text != "nothing"; text = error())
      if (text.find(part) != std::string::npos)
        return true;
    return false;
  }
  std::string put(const std::string &name, const std::string &value, const std::string &uid = "") {
    return api_->put(config_map(name, value, uid));
  }
  bool erase(const std::string &name) { return api_->erase(kind_, {"ns", name}); }
  /// Starts, and takes what the first list brings.
  void start_synced(InformerOptions options = quick()) {
    put("a", "1");
    start(std::move(options));
    ASSERT_EQ(next(), "+a=1");
    ASSERT_EQ(next(), "synced");
    ASSERT_TRUE(api_->wait_for_watches(kind_));
  }
  std::string request(std::size_t index) const {
    const auto all = api_->requests();
    return index < all.size() ? all[index] : "none";
  }
  /// Of the requests, how many contain `part`.
  std::size_t requests_with(const std::string &part) const {
    const auto all = api_->requests();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto &text) {
      return text.find(part) != std::string::npos;
    }));
  }
  static bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
  }

  const RestKind &kind_ = rest_of<ConfigMap>();
  Mailbox<std::string> changes_, errors_;
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<ApiClient> client_;
  std::unique_ptr<Informer<ConfigMap>> informer_;
};

// ---- start -------------------------------------------------------------------------------------

TEST_F(InformerTest, it_starts_with_a_watch_list_and_goes_on_with_the_same_connection) {
  start_synced();
  EXPECT_TRUE(informer_->synced());
  EXPECT_EQ(api_->requests().size(), 1U);
  const std::string first = request(0);
  EXPECT_TRUE(has(first, "GET /api/v1/configmaps?"));
  for (const char *part : {"watch=true", "sendInitialEvents=true", "allowWatchBookmarks=true",
                           "resourceVersionMatch=NotOlderThan"})
    EXPECT_TRUE(has(first, part)) << first;
  EXPECT_FALSE(has(first, "resourceVersion=")) << first;
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  put("b", "2");
  EXPECT_EQ(next(), "~b=2");
  EXPECT_TRUE(erase("b"));
  EXPECT_EQ(next(), "-b=2");
  EXPECT_EQ(api_->requests().size(), 1U);
}

TEST_F(InformerTest, a_refused_watch_list_means_list_and_watch_for_good) {
  api_->watch_list(ApiServer::WatchList::refused);
  const std::string version = put("a", "1");
  start();
  EXPECT_EQ(next(), "+a=1");
  EXPECT_EQ(next(), "synced");
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_TRUE(has(request(1), "resourceVersion=0")) << request(1);
  EXPECT_TRUE(has(request(2), "resourceVersion=" + version)) << request(2);
  api_->send_error(410, "Expired"); // lists again, and not by WatchList
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(requests_with("sendInitialEvents"), 1U);
}

TEST_F(InformerTest, a_server_that_ignores_send_initial_events_is_found_out_by_its_bookmark) {
  api_->watch_list(ApiServer::WatchList::ignored);
  put("a", "1");
  start();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  api_->send_bookmarks();
  EXPECT_EQ(next(), "+a=1");
  EXPECT_EQ(next(), "synced");
  EXPECT_TRUE(has(request(1), "resourceVersion=0")) << request(1);
}

TEST_F(InformerTest, a_server_that_ignores_send_initial_events_is_found_out_by_its_silence) {
  api_->watch_list(ApiServer::WatchList::ignored);
  put("a", "1");
  InformerOptions options = quick();
  options.answer = 50ms;
  start(std::move(options));
  EXPECT_EQ(next(), "+a=1");
  EXPECT_EQ(next(), "synced");
}

TEST_F(InformerTest, a_watch_list_that_is_throttled_is_tried_again_as_one) {
  api_->fail_next(2, 429, "TooManyRequests");
  put("a", "1");
  start();
  EXPECT_EQ(next(), "+a=1");
  EXPECT_EQ(requests_with("sendInitialEvents"), 3U);
  EXPECT_EQ(informer_->stats().lists, 0U);
}

TEST_F(InformerTest, a_watch_list_that_the_server_cannot_do_now_is_replaced_by_one_list) {
  api_->fail_next(1, 500, "InternalError");
  put("a", "1");
  start();
  EXPECT_EQ(next(), "+a=1");
  EXPECT_EQ(next(), "synced");
  EXPECT_EQ(informer_->stats().lists, 1U);
}

TEST_F(InformerTest, without_watch_list_it_lists_at_version_0_and_watches_from_there) {
  start_synced(without_watch_list());
  EXPECT_EQ(request(0), "GET /api/v1/configmaps?resourceVersion=0");
  EXPECT_TRUE(has(request(1), "resourceVersion=" + api_->resource_version())) << request(1);
  EXPECT_FALSE(has(request(1), "sendInitialEvents"));
}

TEST_F(InformerTest, a_list_after_a_failure_is_never_older_than_what_was_seen) {
  start_synced(without_watch_list());
  const std::string seen = put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  api_->send_error(400, "BadRequest"); // neither 410 nor 429 nor 5xx: list again
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_EQ(request(2), "GET /api/v1/configmaps?resourceVersion=" + seen);
}

TEST_F(InformerTest, a_version_that_the_server_does_not_have_leads_to_a_consistent_list) {
  start_synced(without_watch_list());
  api_->fail_next(2, 410, "Expired"); // the watch, and the list from the last version
  api_->end_watches();
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(requests_with("GET /api/v1/configmaps?limit=500"), 1U);
}

TEST_F(InformerTest, a_server_that_went_back_in_time_leads_to_a_consistent_list) {
  start_synced(without_watch_list());
  const SocketAddress address = api_->address();
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  api_.reset(); // comes back with an empty store: our version is too large for it
  ASSERT_TRUE(error_with("refused"));
  fake::ApiServerOptions options;
  options.listen = address;
  api_ = std::move(*ApiServer::start(std::move(options)));
  ASSERT_TRUE(api_->wait_for_watches(kind_)); // from a version that the server does not have yet
  api_->send_error(400, "BadRequest");        // so it lists: 504, then without a version
  EXPECT_EQ(next(2), (std::vector<std::string>{"-a=1", "-b=1"}));
}

TEST_F(InformerTest, a_consistent_list_comes_in_pages) {
  for (int i = 0; i < 1201; ++i)
    put("n" + std::to_string(i), "1");
  api_->fail_next(1, 410, "Expired");
  start(without_watch_list());
  for (int i = 0; i < 1201; ++i)
    ASSERT_EQ(next().front(), '+');
  EXPECT_EQ(next(), "synced");
  EXPECT_EQ(requests_with("limit=500"), 3U);
  EXPECT_EQ(requests_with("continue="), 2U);
}

TEST_F(InformerTest, pages_whose_history_is_gone_are_asked_for_in_one_piece) {
  for (int i = 0; i < 600; ++i)
    put("n" + std::to_string(i), "1");
  http::ServerOptions options; // in front of the API: the second page is answered with 410
  options.listen = {{IpAddress::from_v4(0x7f000001), Port(0)}};
  std::atomic<int> count{0};
  auto behind = std::move(*ApiClient::create(api_->config()));
  const auto proxy = std::move(*http::Server::start(
      std::move(options), [&](const std::shared_ptr<http::Exchange> &exchange) {
        const http::Request &r = exchange->request();
        const int nth = ++count;
        if (nth == 1 || !r.parameter("continue").empty())
          return exchange->reply({410, "application/json", {}, nullptr});
        HttpRequest forward;
        forward.path = "/api/v1/configmaps";
        if (!r.parameter("limit").empty())
          forward.path += "?limit=" + r.parameter("limit");
        auto answer = behind->send(forward);
        exchange->reply({answer->status,
                         answer->contentType,
                         {},
                         std::make_shared<const std::string>(answer->body)});
      }));
  ClientConfig config;
  config.server = "http://" + proxy->addresses().front().str();
  client_ = std::move(*ApiClient::create(config));
  start(without_watch_list());
  for (int i = 0; i < 600; ++i)
    ASSERT_EQ(next().front(), '+') << i;
  EXPECT_EQ(next(), "synced");
  informer_.reset();
}

// ---- replace -----------------------------------------------------------------------------------

class InformerReplace : public InformerTest, public ::testing::WithParamInterface<bool> {
protected:
  InformerOptions options() const { return GetParam() ? quick() : without_watch_list(); }
  /// Changes happen while nobody watches, and their history is lost.
  template <class Change> void behind_its_back(Change change) {
    api_->stall(true);
    api_->end_watches();
    change();
    api_->compact();
    api_->stall(false);
  }
};
INSTANTIATE_TEST_SUITE_P(by, InformerReplace, ::testing::Bool(), [](const auto &param) {
  return param.param ? std::string("watch_list") : std::string("list");
});

TEST_P(InformerReplace, objects_that_are_gone_are_deleted_and_unchanged_ones_are_not_mentioned) {
  put("b", "1");
  put("c", "1");
  put("d", "1");
  start(options());
  EXPECT_EQ(next(4), (std::vector<std::string>{"+b=1", "+c=1", "+d=1", "synced"}));
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  behind_its_back([this] {
    erase("b");
    put("c", "2");
    put("e", "1");
  });
  EXPECT_EQ(next(3), (std::vector<std::string>{"+e=1", "-b=1", "~c=2"}));
  put("d", "2");
  EXPECT_EQ(next(), "~d=2"); // and no second "synced"
}

TEST_P(InformerReplace, a_name_with_another_uid_is_deleted_and_added) {
  start_synced(options());
  behind_its_back([this] {
    erase("a");
    put("a", "2", "another");
  });
  EXPECT_EQ(next(), "-a=1");
  EXPECT_EQ(next(), "+a=2");
}

TEST_P(InformerReplace, an_object_that_cannot_be_decoded_keeps_its_previous_state) {
  start_synced(options());
  behind_its_back([this] {
    api_->put(kind_, {{"metadata", {{"namespace", "ns"}, {"name", "a"}, {"uid", "uid-a"}}},
                      {"data", {{"v", 5}}}});
    put("b", "1");
  });
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(informer_->stats().malformed, 1U);
  put("a", "2");
  EXPECT_EQ(next(), "~a=2");
}

TEST_F(InformerTest, nothing_is_reported_of_a_watch_list_that_breaks_before_its_end) {
  api_->watch_list(ApiServer::WatchList::ignored); // no bookmark: it never ends
  put("a", "1");
  start();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  put("b", "1");
  erase("a");
  api_->watch_list(ApiServer::WatchList::served);
  api_->break_watches();
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(next(), "synced");
}

TEST_F(InformerTest, changes_during_the_first_part_of_a_watch_list_are_part_of_it) {
  api_->watch_list(ApiServer::WatchList::ignored);
  put("a", "1");
  start();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  put("b", "1");
  put("b", "2");
  erase("a");
  api_->send_line(kind_, R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9",)"
                         R"("annotations":{"k8s.io/initial-events-end":"true"}}}})");
  EXPECT_EQ(next(), "+b=2");
  EXPECT_EQ(next(), "synced");
  EXPECT_EQ(changes_.size(), 0U);
}

// ---- watch -------------------------------------------------------------------------------------

TEST_F(InformerTest, a_watch_asks_for_bookmarks_and_for_an_end_after_five_to_ten_minutes) {
  start_synced();
  for (int i = 0; i < 20; ++i) {
    api_->break_watches();
    ASSERT_TRUE(api_->wait_for_watches(kind_));
  }
  std::set<int> timeouts;
  for (const std::string &text : api_->requests()) {
    EXPECT_TRUE(has(text, "allowWatchBookmarks=true"));
    const std::size_t at = text.find("timeoutSeconds=");
    ASSERT_NE(at, std::string::npos);
    timeouts.insert(std::stoi(text.substr(at + 15)));
  }
  EXPECT_GE(*timeouts.begin(), 300);
  EXPECT_LT(*timeouts.rbegin(), 600);
  EXPECT_GT(timeouts.size(), 10U) << "they must not all come back at once";
}

TEST_F(InformerTest, an_ended_watch_goes_on_from_the_last_event) {
  start_synced();
  const std::string seen = put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  api_->stall(true);
  api_->end_watches();
  put("c", "1");
  api_->stall(false);
  EXPECT_EQ(next(), "+c=1");
  EXPECT_TRUE(has(request(1), "resourceVersion=" + seen)) << request(1);
  EXPECT_FALSE(has(request(1), "sendInitialEvents"));
}

TEST_F(InformerTest, a_bookmark_moves_the_version) {
  start_synced();
  Pod other;
  other.metadata.name = "p";
  api_->put(other);
  api_->send_bookmarks();
  api_->end_watches();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_TRUE(has(request(1), "resourceVersion=" + api_->resource_version())) << request(1);
}

TEST_F(InformerTest, synthetic_events_do_not_move_the_version) {
  put("a", "1");
  api_->watch_list(ApiServer::WatchList::ignored);
  start();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  api_->watch_list(ApiServer::WatchList::served);
  api_->break_watches();
  EXPECT_EQ(next(), "+a=1");
  EXPECT_FALSE(has(request(1), "resourceVersion=")) << request(1);
}

TEST_F(InformerTest, an_expired_version_in_an_error_event_means_a_new_list) {
  start_synced(without_watch_list());
  api_->send_error(410, "Expired");
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_EQ(informer_->stats().lists, 2U);
}

TEST_F(InformerTest, an_expired_version_as_the_status_of_the_answer_means_a_new_list) {
  start_synced(without_watch_list());
  api_->gone_as_status(true);
  api_->stall(true);
  api_->end_watches();
  erase("a");
  api_->compact();
  api_->stall(false);
  EXPECT_EQ(next(), "-a=1");
  EXPECT_EQ(informer_->stats().lists, 2U);
}

TEST_F(InformerTest, a_throttled_watch_comes_back_with_the_same_version) {
  start_synced();
  const std::string version = api_->resource_version();
  api_->send_error(429, "TooManyRequests");
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_TRUE(has(request(1), "resourceVersion=" + version)) << request(1);
  EXPECT_FALSE(has(request(1), "sendInitialEvents"));
}

TEST_F(InformerTest, internal_errors_are_retried_for_a_while_then_it_lists) {
  start_synced();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(requests_with("sendInitialEvents"), 1U);
    ASSERT_TRUE(api_->wait_for_watches(kind_));
    api_->send_error(500, "InternalError");
  }
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_EQ(requests_with("sendInitialEvents"), 2U);
}

TEST_F(InformerTest, any_other_error_event_means_a_new_list) {
  start_synced();
  api_->send_error(403, "Forbidden");
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_EQ(requests_with("sendInitialEvents"), 2U);
}

TEST_F(InformerTest, a_server_that_is_away_changes_nothing_and_is_watched_again_without_a_list) {
  start_synced();
  fake::ApiServerOptions options;
  options.listen = api_->address();
  api_.reset();
  ASSERT_TRUE(error_with("refused"));
  ASSERT_TRUE(error_with("refused"));
  EXPECT_EQ(changes_.size(), 0U);
  EXPECT_TRUE(informer_->synced());
  api_ = std::move(*ApiServer::start(std::move(options)));
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(requests_with("sendInitialEvents"), 0U);
  EXPECT_TRUE(has(request(0), "resourceVersion=2")) << request(0);
}

TEST_F(InformerTest, an_empty_watch_that_ends_at_once_is_a_failure) {
  InformerOptions options = without_watch_list();
  options.shortest = 10s;
  start_synced(std::move(options));
  api_->end_watches();
  EXPECT_TRUE(error_with("ended it at once"));
}

TEST_F(InformerTest, retry_after_is_honoured) {
  start_synced();
  api_->fail_next(1, 503, "ServiceUnavailable", 1);
  const auto before = std::chrono::steady_clock::now();
  api_->break_watches();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1s);
}

TEST_F(InformerTest, what_another_way_to_ask_answers_is_no_failure_to_speak_of) {
  api_->watch_list(ApiServer::WatchList::refused);
  start_synced();
  api_->send_error(410, "Expired");
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_EQ(informer_->stats().errors, 2U);
  EXPECT_EQ(errors_.size(), 0U);
}

TEST_F(InformerTest, a_refusal_that_it_cannot_ask_around_is_told) {
  for (const int status : {400, 403, 404, 406, 410, 422, 500}) {
    SCOPED_TRACE(status);
    api_->fail_next(1000, status, "Because");
    start();
    EXPECT_TRUE(has(error(), "informer of configmaps: "));
    informer_.reset();
    while (errors_.size() > 0)
      error();
  }
}

TEST(backoff, it_doubles_up_to_its_limit_and_begins_anew_after_a_healthy_time) {
  Backoff backoff({800ms, 30s, 120s});
  Backoff::Time now{1h};
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    const auto wait = backoff.next(now, 0);
    waits.push_back(wait.count());
    now += wait;
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}));
  EXPECT_EQ(backoff.next(now + 119s, 0), 30s);
  EXPECT_EQ(backoff.next(now + 119s + 30s + 120s, 0), 800ms);
}

TEST(backoff, chance_adds_up_to_as_much_again) {
  const BackoffOptions options{800ms, 30s, 120s};
  EXPECT_EQ(Backoff(options).next(Backoff::Time{1h}, 0.5), 1200ms);
  EXPECT_LT(Backoff(options).next(Backoff::Time{1h}, 0.999), 1600ms);
}

// ---- connections -------------------------------------------------------------------------------

TEST_F(InformerTest, a_silent_watch_is_opened_again_from_the_last_version) {
  InformerOptions options = quick();
  options.silence = 50ms;
  start_synced(std::move(options));
  ASSERT_TRUE(error_with("no answer in time"));
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(requests_with("sendInitialEvents"), 1U);
}

TEST_F(InformerTest, a_broken_watch_is_opened_again_from_the_last_version) {
  start_synced();
  const std::string version = api_->resource_version();
  api_->break_watches();
  ASSERT_TRUE(api_->wait_for_watches(kind_));
  EXPECT_TRUE(has(request(1), "resourceVersion=" + version)) << request(1);
}

TEST_F(InformerTest, a_token_that_was_rotated_is_read_again) {
  const testing::TempFolder folder;
  ClientConfig config = api_->config();
  config.tokenFile = folder.write("token", "old");
  client_ = std::move(*ApiClient::create(config));
  api_->require_token("old");
  start_synced();
  api_->require_token("new");
  api_->break_watches();
  ASSERT_TRUE(error_with("Unauthorized"));
  folder.write("token", "new");
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  EXPECT_EQ(changes_.size(), 0U);
}

TEST_F(InformerTest, it_stops_at_once_whatever_it_waits_for) {
  const struct {
    const char *name;
    std::function<void()> before;
  } kCases[] = {{"a watch", [] {}},
                {"an answer", [this] { api_->stall(true); }},
                {"the end of a pause", [this] { api_->fail_next(1000, 429, "", 100); }}};
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.name);
    c.before();
    start();
    const auto before = std::chrono::steady_clock::now();
    informer_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
    api_->stall(false);
  }
}

// ---- objects -----------------------------------------------------------------------------------

TEST_F(InformerTest, a_malformed_object_is_counted_and_skipped_and_its_previous_state_stays) {
  start_synced();
  for (const char *line :
       {R"({"type":"MODIFIED","object":{"metadata":{"namespace":"ns","name":"a"},"data":{"v":1}}})",
        R"({"type":"ADDED","object":{"metadata":{"name":["x"]}}})", R"({"type":"ADDED"})",
        R"({"type":"TELEPORTED","object":{"metadata":{"name":"x"}}})", R"([])", R"(5)",
        R"({"type":"BOOKMARK","object":{}})", R"({"type":"DELETED","object":{"metadata":5}})"})
    api_->send_line(kind_, line);
  put("a", "2");
  EXPECT_EQ(next(), "~a=2");
  EXPECT_EQ(informer_->stats().malformed, 8U);
  EXPECT_EQ(informer_->stats().watches, 1U);
}

TEST_F(InformerTest, a_line_that_is_not_json_closes_the_watch) {
  start_synced();
  const std::string version = api_->resource_version();
  api_->send_line(kind_, R"({"type":"ADDED","obj)");
  ASSERT_TRUE(error_with("not JSON"));
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
  EXPECT_TRUE(has(request(1), "resourceVersion=" + version)) << request(1);
}

TEST_F(InformerTest, an_event_that_was_seen_before_is_not_reported_again) {
  start_synced();
  json same = *api_->find(kind_, {"ns", "a"});
  api_->send_line(kind_, json{{"type", "MODIFIED"}, {"object", same}}.dump());
  api_->send_line(
      kind_, json{{"type", "DELETED"}, {"object", {{"metadata", {{"name", "unknown"}}}}}}.dump());
  put("b", "1");
  EXPECT_EQ(next(), "+b=1");
}

TEST_F(InformerTest, a_recreated_object_in_one_event_is_deleted_and_added) {
  start_synced();
  put("a", "2", "another"); // MODIFIED with another uid
  EXPECT_EQ(next(), "-a=1");
  EXPECT_EQ(next(), "+a=2");
}

TEST_F(InformerTest, without_keeping_objects_it_reports_the_same_changes) {
  for (const bool watch_list : {true, false}) {
    SCOPED_TRACE(watch_list ? "WatchList" : "list");
    api_->watch_list(watch_list ? ApiServer::WatchList::served : ApiServer::WatchList::refused);
    put("a", "1");
    put("b", "1");
    put("gone", "1");
    put("other", "1");
    auto options = quick();
    options.identitiesOnly = true;
    start(std::move(options));
    EXPECT_EQ(next(5), (std::vector<std::string>{"+a=1", "+b=1", "+gone=1", "+other=1", "synced"}));
    ASSERT_TRUE(api_->wait_for_watches(kind_));
    put("a", "2");
    EXPECT_EQ(next(), "~a=2");
    api_->stall(true); // so that it all happens before the next list
    api_->break_watches();
    erase("gone");
    put("b", "2");
    erase("other");
    put("other", "2", "uid-another");
    api_->compact();
    api_->stall(false);
    EXPECT_EQ(next(4), (std::vector<std::string>{"+other=2", "-gone=", "-other=", "~b=2"}));
    ASSERT_TRUE(api_->wait_for_watches(kind_));
    EXPECT_TRUE(erase("a"));
    EXPECT_EQ(next(), "-a=");
    informer_.reset();
    for (const auto *name : {"b", "other"})
      erase(name);
  }
}

TEST_F(InformerTest, only_what_the_scope_covers_is_asked_for_and_reported) {
  ConfigMap inside = config_map("a", "1"), elsewhere = config_map("a", "1");
  inside.metadata.labels = {{"app", "web"}};
  elsewhere.metadata.labels = {{"app", "web"}};
  elsewhere.metadata.namespace_ = "other";
  api_->put(inside);
  api_->put(elsewhere);
  put("b", "1");
  start(quick(), {"ns", "app in (web,db),!x", "metadata.name!=c"});
  EXPECT_EQ(next(), "+a=1");
  EXPECT_EQ(next(), "synced");
  EXPECT_TRUE(has(request(0), "GET /api/v1/namespaces/ns/configmaps?")) << request(0);
  EXPECT_TRUE(has(request(0), "labelSelector=app in (web,db),!x")) << request(0);
  EXPECT_TRUE(has(request(0), "fieldSelector=metadata.name!=c")) << request(0);
  inside.metadata.labels.clear();
  inside.data["v"] = "2";
  api_->put(inside); // left the selection: its last state in it
  EXPECT_EQ(next(), "-a=1");
}

TEST_F(InformerTest, informers_of_several_kinds_share_a_client) {
  start();
  EXPECT_EQ(next(), "synced");
  Mailbox<std::string> pods;
  Informer<Pod> other(
      *client_, {}, [&](Change<Pod> change) { pods.put(change.object.metadata.name); }, quick());
  EXPECT_EQ(pods.take(), ""); // synced
  Pod pod;
  pod.metadata.name = "p";
  api_->put(pod);
  EXPECT_EQ(pods.take(), "p");
  put("a", "1");
  EXPECT_EQ(next(), "+a=1");
}

} // namespace
} // namespace sluice::kube
