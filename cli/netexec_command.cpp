#include "cli/command.hpp"
#include "cli/netexec/client.hpp"
#include "cli/netexec/server.hpp"

#include <CLI/CLI.hpp>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace sluice::cli {
namespace {

std::string own_name() {
  if (const char *pod = std::getenv("POD_NAME"); pod != nullptr && *pod != '\0')
    return pod;
  char name[HOST_NAME_MAX + 1] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

struct ServeFlags {
  int http = 8080, tcp = 8081, udp = 8081, drain_ms = 0;
};

std::optional<Port> port_flag(int value) {
  if (value < 0)
    return std::nullopt;
  return Port(static_cast<std::uint16_t>(value));
}

Outcome serve(const ServeFlags &flags) {
  SLUICE_ASSIGN(
      auto server,
      netexec::Server::start({port_flag(flags.http), port_flag(flags.tcp), port_flag(flags.udp),
                              own_name(), std::chrono::milliseconds(flags.drain_ms)}),
      "netexec");
  const auto ports = server.ports();
  std::printf("%s serves http on %u, tcp on %u, udp on %u\n", own_name().c_str(), ports.http.value,
              ports.tcp.value, ports.udp.value);
  std::fflush(stdout);
  auto code = server.run();
  if (!code)
    return fail(std::move(code.error()));
  return *code;
}

struct CallFlags {
  std::string url;
  std::size_t count = 1;
  int seconds = 0, interval_ms = 0, timeout_ms = 2000;
  bool each = false;
};

// A signal handler can reach nothing but a variable of the program.
std::atomic<bool> interrupted{false}; // NOLINT

void print_answer(const Result<std::string> &answer) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::printf("%lld.%03ld %s %s\n", static_cast<long long>(now.tv_sec), now.tv_nsec / 1000000,
              answer ? "ok" : "FAILED", answer ? answer->c_str() : answer.error().what().c_str());
  std::fflush(stdout);
}

Outcome call(const CallFlags &flags) {
  netexec::LoadOptions options;
  SLUICE_ASSIGN(options.target, netexec::Target::parse(flags.url), "netexec get");
  options.requests = flags.count;
  options.duration = std::chrono::seconds(flags.seconds);
  options.interval = std::chrono::milliseconds(flags.interval_ms);
  options.timeout = std::chrono::milliseconds(flags.timeout_ms);
  options.stop = [] { return interrupted.load(); };
  if (flags.each)
    options.on_answer = print_answer;
  for (const int number : {SIGINT, SIGTERM})
    std::signal(number, [](int) { interrupted = true; });
  const auto report = netexec::run_load(options);
  std::printf("%s", report.str().c_str());
  return report.failed == 0 ? 0 : 1;
}

/// One line to the TCP or UDP echo and its answer.
Outcome echo(const std::string &scheme, const std::string &address, const std::string &text) {
  SLUICE_ASSIGN(const auto target, netexec::Target::parse(scheme + "://" + address),
                "netexec " + scheme);
  SLUICE_ASSIGN(auto answer, netexec::exchange(target, text + "\n", std::chrono::seconds(2)),
                "netexec " + scheme);
  std::printf("%s", answer.c_str());
  return 0;
}

void add_echo(CLI::App &netexec, const std::string &scheme, Outcome &outcome) {
  struct Flags {
    std::string address, text = "hello";
  };
  const auto flags = std::make_shared<Flags>();
  auto *command = netexec.add_subcommand(scheme, "say a word to the " + scheme + " echo");
  command->add_option("address", flags->address, "ADDRESS:PORT")->required();
  command->add_option("text", flags->text);
  command->callback(
      [scheme, flags, &outcome] { outcome = echo(scheme, flags->address, flags->text); });
}

} // namespace

void add_netexec(CLI::App &parent, Outcome &outcome) {
  auto *command = parent.add_subcommand("netexec", "a small server for tests: HTTP, TCP and UDP "
                                                   "that say who answered whom");
  const auto serve_flags = std::make_shared<ServeFlags>();
  command->add_option("--http", serve_flags->http, "HTTP port; 0: any, -1: none");
  command->add_option("--tcp", serve_flags->tcp, "port of the TCP echo");
  command->add_option("--udp", serve_flags->udp, "port of the UDP echo");
  command->add_option("--drain-ms", serve_flags->drain_ms,
                      "after SIGTERM, go on answering for so long");

  const auto call_flags = std::make_shared<CallFlags>();
  auto *get = command->add_subcommand("get", "ask such a server, each time on a new connection");
  get->add_option("url", call_flags->url, "http://10.96.0.10:80/ (or tcp://, udp://)")->required();
  get->add_option("-n,--count", call_flags->count, "how many requests; 0: until stopped");
  get->add_option("--seconds", call_flags->seconds, "stop after so long; 0: no limit");
  get->add_option("--interval-ms", call_flags->interval_ms, "from one start to the next");
  get->add_option("--timeout-ms", call_flags->timeout_ms, "of one request");
  get->add_flag("--each", call_flags->each, "a line with the time for each answer");

  get->callback([call_flags, &outcome] { outcome = call(*call_flags); });
  add_echo(*command, "tcp", outcome);
  add_echo(*command, "udp", outcome);
  command->final_callback([serve_flags, command, &outcome] {
    if (command->get_subcommands().empty())
      outcome = serve(*serve_flags);
  });
}

} // namespace sluice::cli
