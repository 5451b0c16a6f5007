#include "kube/daemon/control_socket.hpp"
#include "kube/daemon/listen_fds.hpp"
#include "kube/daemon/log.hpp"
#include "kube/daemon/metrics.hpp"
#include "kube/daemon/signals.hpp"
#include "kube/daemon/unix_socket.hpp"
#include "kube/testing/pki.hpp"
#include "net/mailbox.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::kube::daemon {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::TempFolder;

auto in_5_s() { return std::chrono::steady_clock::now() + 5s; }

// ---- log ---------------------------------------------------------------------------------------

TEST(log, json_is_one_object_a_line) {
  EXPECT_EQ(log_json(LogLevel::warning, std::chrono::milliseconds(1500), "it \"happened\"\n",
                     {{"node", "n-1"}, {"bytes", "\xff"}}),
            "{\"ts\":1.5,\"level\":\"warning\",\"msg\":\"it \\\"happened\\\"\\n\",\"node\":\"n-1\","
            "\"bytes\":\"\xef\xbf\xbd\"}");
}

TEST(log, a_line_is_a_message_and_fields_that_can_be_taken_apart) {
  const struct {
    std::string line, expected;
    int at;
  } kCases[] = {
      {log_line("started", {}), "started", __LINE__},
      {log_line("m", {{"node", "n-1"}, {"count", 3}, {"ok", true}}), "m node=n-1 count=3 ok=true",
       __LINE__},
      {log_line("m", {{"text", "two words"}}), "m text=\"two words\"", __LINE__},
      {log_line("m", {{"empty", ""}}), "m empty=\"\"", __LINE__},
      {log_line("m", {{"q", "say \"hi\" \\"}}), "m q=\"say \\\"hi\\\" \\\\\"", __LINE__},
      {log_line("m", {{"lines", "a\nb\x1b[31m"}}), "m lines=\"a\\nb [31m\"", __LINE__},
      {log_line("m", {{"error", Error(Errc::io, "read: gone")}}), "m error=\"read: gone\"",
       __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.at));
    EXPECT_EQ(c.line, c.expected);
  }
}

TEST(log, levels_are_named_and_filter) {
  EXPECT_EQ(*parse_log_level("debug"), LogLevel::debug);
  EXPECT_EQ(*parse_log_level("warn"), LogLevel::warning);
  EXPECT_FALSE(parse_log_level("loud"));
  ::testing::internal::CaptureStderr();
  set_log_level(LogLevel::warning);
  log_info("not this");
  log_warning("but this", {{"k", 1}});
  set_log_level(LogLevel::info);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("not this"), std::string::npos);
  EXPECT_NE(text.find("Z warning but this k=1\n"), std::string::npos) << text;
}

// ---- signals -----------------------------------------------------------------------------------

TEST(signals, they_come_as_calls_on_a_thread) {
  Mailbox<int> heard;
  auto listener = SignalListener::start([&](int signal) { heard.put(signal); });
  ASSERT_TRUE(listener) << listener.error().what();
  for (const int signal : {SIGHUP, SIGTERM, SIGINT}) {
    ::kill(::getpid(), signal);
    EXPECT_EQ(heard.take_until(in_5_s()), signal);
  }
  listener->reset();
}

// ---- listening sockets -------------------------------------------------------------------------

// In a child, so that descriptor 3 can be whatever the test wants.
int in_child(const std::function<int()> &run) {
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(run());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(listen_fds, sockets_meant_for_us_are_taken_once_and_not_inherited) {
  EXPECT_EQ(in_child([] {
              const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
              ::dup2(socket, 3);
              ::dup2(socket, 4);
              ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
              ::setenv("LISTEN_FDS", "2", 1);
              ::setenv("LISTEN_FDNAMES", "api:metrics", 1);
              const auto taken = take_listen_fds();
              if (!taken || taken->size() != 2)
                return 1;
              if ((*taken)[0].fd.get() != 3 || (*taken)[1].name != "metrics")
                return 2;
              if ((::fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 || std::getenv("LISTEN_FDS"))
                return 3;
              return take_listen_fds()->empty() ? 0 : 4;
            }),
            0);
}

TEST(listen_fds, sockets_meant_for_somebody_else_are_left_alone) {
  EXPECT_EQ(in_child([] {
              ::setenv("LISTEN_PID", "1", 1);
              ::setenv("LISTEN_FDS", "1", 1);
              return take_listen_fds()->empty() ? 0 : 1;
            }),
            0);
}

TEST(listen_fds, nonsense_is_an_error) {
  EXPECT_EQ(in_child([] {
              ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
              ::setenv("LISTEN_FDS", "many", 1);
              return take_listen_fds() ? 1 : 0;
            }),
            0);
}

// ---- control socket ----------------------------------------------------------------------------

ControlServer::Verbs verbs() {
  return {{"echo",
           [](const json &request) -> Result<json> {
             return json{{"you", request}};
           }},
          {"none", [](const json &) -> Result<json> { return json(); }},
          {"fail",
           [](const json &) -> Result<json> { return fail(Errc::not_found, "no such \"table\""); }},
          {"typed", [](const json &request) -> Result<json> {
             return json{{"n", request.at("n").get<int>() + 1}};
           }}};
}

TEST(control_socket, every_line_gets_its_answer) {
  const struct {
    const char *line, *answer;
    int at;
  } kCases[] = {
      {R"({"verb":"none"})", R"({"ok":true})", __LINE__},
      {R"({"verb":"typed","n":1})", R"({"n":2,"ok":true})", __LINE__},
      {R"({"verb":"fail"})",
       R"({"error":{"code":"not_found","message":"no such \"table\""},"ok":false})", __LINE__},
      {R"({"verb":"nope"})",
       R"({"error":{"code":"unsupported","message":"there is no verb \"nope\""},"ok":false})",
       __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.at));
    EXPECT_EQ(answer_line(verbs(), c.line), c.answer);
  }
  for (const char *bad : {"", "{", "[]", "5", "{}", R"({"verb":5})", R"({"verb":"typed"})",
                          R"({"verb":"typed","n":"x"})", "\xff\xfe", R"({"verb":"\ud800"})"}) {
    SCOPED_TRACE(bad);
    const json answer = json::parse(answer_line(verbs(), bad));
    EXPECT_EQ(answer["ok"], false);
    EXPECT_FALSE(answer["error"]["message"].get<std::string>().empty());
  }
}

class ControlSocket : public ::testing::Test {
protected:
  std::unique_ptr<ControlServer> serve(ControlServer::Verbs with) {
    auto server = ControlServer::start(path_, std::move(with));
    EXPECT_TRUE(server) << server.error().what();
    return std::move(*server);
  }
  TempFolder folder_;
  std::string path_ = folder_.path("deep/run/test.sock");
};

TEST_F(ControlSocket, a_client_gets_answers_and_errors) {
  const auto server = serve(verbs());
  const auto answer = control_call(path_, {{"verb", "echo"}, {"x", "\n"}});
  ASSERT_TRUE(answer) << answer.error().what();
  EXPECT_EQ((*answer)["you"]["x"], "\n");
  const auto failed = control_call(path_, {{"verb", "fail"}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::not_found);
  EXPECT_EQ(failed.error().what(), "no such \"table\"");
}

TEST_F(ControlSocket, only_its_owner_may_open_it_and_it_goes_away_at_the_end) {
  auto server = serve(verbs());
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  server.reset();
  EXPECT_NE(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(control_call(path_, {{"verb", "none"}}).error().code(), Errc::unavailable);
}

TEST_F(ControlSocket, a_stale_file_is_replaced_a_live_daemon_is_not) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  ASSERT_TRUE(listen_unix(path_)); // closed at once: nobody listens there
  const auto server = serve(verbs());
  EXPECT_EQ(ControlServer::start(path_, verbs()).error().code(), Errc::already_exists);
  EXPECT_TRUE(control_call(path_, {{"verb", "none"}}));
  const std::string file = folder_.write("plain", "precious");
  EXPECT_EQ(ControlServer::start(file, verbs()).error().code(), Errc::already_exists);
  EXPECT_EQ(folder_.read("plain"), "precious");
  EXPECT_FALSE(ControlServer::start(folder_.path(std::string(200, 'x')), verbs()));
}

TEST_F(ControlSocket, garbage_is_answered_and_the_connection_goes_on) {
  const auto server = serve(verbs());
  const auto socket = connect_unix(path_);
  LineChannel channel(socket->get(), 1U << 20);
  for (const char *line : {"garbage", "", "{}", R"({"verb":"none"})"})
    ASSERT_TRUE(channel.write_line(line, in_5_s()));
  for (const bool ok : {false, false, false, true}) {
    const auto answer = channel.read_line(in_5_s());
    ASSERT_TRUE(answer && *answer);
    EXPECT_EQ(json::parse(**answer)["ok"], ok);
  }
}

TEST_F(ControlSocket, a_huge_line_is_refused_and_cut) {
  const auto server = serve(verbs());
  const auto socket = connect_unix(path_);
  LineChannel channel(socket->get(), 1U << 20);
  (void)channel.write_line(std::string(3U << 20, 'x'), in_5_s());
  const auto answer = channel.read_line(in_5_s());
  if (answer && *answer) { // the reset may overtake the answer
    EXPECT_EQ(json::parse(**answer)["ok"], false);
  }
  EXPECT_TRUE(control_call(path_, {{"verb", "none"}}));
}

TEST_F(ControlSocket, a_slow_verb_holds_nobody_else_up) {
  Mailbox<int> go;
  auto with = verbs();
  with["slow"] = [&](const json &) -> Result<json> {
    go.take_until(in_5_s());
    return json();
  };
  const auto server = serve(std::move(with));
  std::thread slow([&] { EXPECT_TRUE(control_call(path_, {{"verb", "slow"}}, 10s)); });
  EXPECT_TRUE(control_call(path_, {{"verb", "none"}}));
  EXPECT_EQ(control_call(path_, {{"verb", "slow"}}, 50ms).error().code(), Errc::timeout);
  go.put(1);
  go.put(1);
  slow.join();
}

TEST_F(ControlSocket, who_asked_before_the_end_gets_its_answer) {
  Mailbox<int> begun, go;
  auto with = verbs();
  with["stop"] = [&](const json &) -> Result<json> {
    begun.put(1);
    go.take_until(in_5_s());
    return json();
  };
  auto server = serve(std::move(with));
  std::thread client([&] {
    const auto answer = control_call(path_, {{"verb", "stop"}}, 10s);
    EXPECT_TRUE(answer) << answer.error().what();
  });
  begun.take_until(in_5_s());
  std::thread end([&] { server.reset(); });
  while (control_call(path_, {{"verb", "none"}})) // until the end has begun
    std::this_thread::yield();
  go.put(1);
  end.join();
  client.join();
}

TEST_F(ControlSocket, clients_that_hang_or_leave_do_not_stop_the_end) {
  auto server = serve(verbs());
  const auto idle = connect_unix(path_);
  const auto half = connect_unix(path_);
  ::send(half->get(), "{\"verb\"", 7, MSG_NOSIGNAL);
  { const auto gone = connect_unix(path_); }
  EXPECT_TRUE(control_call(path_, {{"verb", "none"}}));
  server.reset();
  char byte = 0;
  EXPECT_EQ(::recv(idle->get(), &byte, 1, 0), 0);
}

// ---- metrics -----------------------------------------------------------------------------------

TEST(metrics, they_are_written_as_prometheus_reads_them) {
  Metrics metrics;
  const Counter syncs = metrics.counter("syncs_total", "Syncs.", {{"family", "IPv4"}});
  syncs.add();
  metrics.counter("syncs_total", "Syncs.", {{"family", "IPv4"}}).add(2);
  metrics.gauge("services", "Services now.").set(7);
  metrics.histogram("sync_seconds", "Time.", {0.1, 1}).observe(0.5);
  EXPECT_EQ(syncs.value(), 3);
  const std::string text = metrics.text();
  for (const char *part :
       {"# TYPE syncs_total counter\n", "syncs_total{family=\"IPv4\"} 3\n", "services 7\n",
        "sync_seconds_bucket{le=\"0.1\"} 0\n", "sync_seconds_bucket{le=\"1\"} 1\n",
        "sync_seconds_bucket{le=\"+Inf\"} 1\n", "sync_seconds_count 1\n",
        "process_start_time_seconds "})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

} // namespace
} // namespace sluice::kube::daemon
