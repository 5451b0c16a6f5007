#include "cluster/supervisor.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::cluster {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortLife{10000};
constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kLongestDelay{5000};

} // namespace

std::string to_json(const std::vector<Daemon> &daemons) {
  auto list = nlohmann::json::array();
  for (const auto &daemon : daemons)
    list.push_back({{"name", daemon.name}, {"argv", daemon.argv}});
  return nlohmann::json{{"daemons", list}}.dump(2) + "\n";
}

Result<std::vector<Daemon>> parse_daemons(std::string_view json) {
  std::vector<Daemon> daemons;
  try {
    const auto document = nlohmann::json::parse(json);
    for (const auto &entry : document.at("daemons"))
      daemons.push_back({entry.at("name"), entry.at("argv")});
  } catch (const nlohmann::json::exception &error) {
    return fail(Errc::invalid_input, std::string("read supervisor.json: ") + error.what());
  }
  return daemons;
}

bool was_short(milliseconds life) { return life < kShortLife; }

milliseconds restart_delay(milliseconds life, unsigned failures) {
  if (!was_short(life) || failures == 0)
    return milliseconds(0);
  return std::min(kFirstDelay * (1U << std::min(failures - 1, 6U)), kLongestDelay);
}

} // namespace sluice::cluster
