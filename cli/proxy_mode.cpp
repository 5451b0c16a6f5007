#include "cli/proxy_mode.hpp"

#include "kube/daemon/control_socket.hpp"

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

namespace sluice::cli {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr auto kPatience = std::chrono::seconds(180);
constexpr auto kInterval = std::chrono::milliseconds(50);

Result<json> ask(const std::string &socket, const std::string &mode = "") {
  auto answer = kube::daemon::control_call(socket, {{"verb", "mode"}, {"mode", mode}});
  if (!answer)
    return fail(std::move(answer.error()).in("ask sluice-proxy"));
  return answer;
}

void print(const json &state) {
  std::printf("%s (%s)%s\n", state.value("mode", "").c_str(), state.value("layout", "").c_str(),
              state.value("started", false) ? "" : ", not in the kernel yet");
  for (const auto &name : state.value("retiring", std::vector<std::string>{}))
    std::printf("still there for open connections: %s\n", name.c_str());
}

/// The daemon closes its socket for an instant while it changes.
Outcome wait_for(const std::string &socket, const std::string &wanted, Clock::time_point began) {
  Result<json> state = json::object();
  while (Clock::now() - began < kPatience) {
    state = ask(socket);
    if (state && state->value("mode", "") == wanted && state->value("started", false)) {
      const std::chrono::duration<double> took = Clock::now() - began;
      std::printf("changed in %.1f s: ", took.count());
      print(*state);
      return 0;
    }
    std::this_thread::sleep_for(kInterval);
  }
  if (!state)
    return fail(std::move(state.error()));
  return fail(Errc::timeout, "mode \"" + wanted + "\" is not in the kernel after " +
                                 std::to_string(kPatience.count()) +
                                 " s; the rules of before stay. Look at the log of sluice-proxy");
}

} // namespace

Outcome proxy_mode(const std::string &socket, const std::string &wanted) {
  const auto began = Clock::now();
  SLUICE_ASSIGN(const auto state, ask(socket, wanted), "mode");
  if (!wanted.empty() && state.value("mode", "") != wanted)
    return wait_for(socket, wanted, began);
  print(state);
  return 0;
}

} // namespace sluice::cli
