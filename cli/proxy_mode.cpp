#include "cli/proxy_mode.hpp"

#include "cli/proxy_text.hpp"
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
constexpr auto kFirstLook = std::chrono::seconds(5); ///< at what is left of other modes
constexpr auto kInterval = std::chrono::milliseconds(50);

Result<json> ask(const std::string &socket, const std::string &mode = "") {
  auto answer = kube::daemon::control_call(socket, {{"verb", "mode"}, {"mode", mode}});
  if (!answer)
    return fail(std::move(answer.error()).in("ask sluice-proxy"));
  return answer;
}

void print(const json &state, bool as_json) {
  std::fputs((as_json ? state.dump(2) + "\n" : mode_text(state)).c_str(), stdout);
}

/// What is left of other modes has been looked at.
bool settled(const json &state) {
  return state.value("retiring", json::array()).size() ==
         state.value("draining", json::array()).size();
}

/// The daemon closes its socket for an instant while it changes.
Outcome wait_for(const std::string &socket, const std::string &wanted, Clock::time_point began,
                 bool as_json) {
  Result<json> state = json::object();
  std::optional<Clock::time_point> changed;
  while (Clock::now() - began < kPatience) {
    state = ask(socket);
    if (state && state->value("mode", "") == wanted && state->value("started", false)) {
      const auto now = Clock::now();
      changed = changed.value_or(now);
      if (settled(*state) || now - *changed > kFirstLook) {
        const std::chrono::duration<double> took = *changed - began;
        if (!as_json)
          std::printf("changed in %.1f s: ", took.count());
        print(*state, as_json);
        return 0;
      }
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

Outcome proxy_mode(const std::string &socket, const std::string &wanted, bool as_json) {
  const auto began = Clock::now();
  SLUICE_ASSIGN(const auto state, ask(socket, wanted), "mode");
  if (!wanted.empty() && state.value("mode", "") != wanted)
    return wait_for(socket, wanted, began, as_json);
  print(state, as_json);
  return 0;
}

} // namespace sluice::cli
