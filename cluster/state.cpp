#include "cluster/state.hpp"

#include "kernel/files.hpp"

#include <ctime>
#include <nlohmann/json.hpp>

namespace sluice::cluster {

std::string to_json(const State &state) {
  return nlohmann::json{{"name", state.name},
                        {"created", state.created},
                        {"apiPort", state.api_port.value},
                        {"nodes", state.nodes}}
             .dump(2) +
         "\n";
}

Result<State> parse_state(std::string_view json) {
  try {
    const auto document = nlohmann::json::parse(json);
    return State{document.at("name"), document.at("created"),
                 Port(document.at("apiPort").get<std::uint16_t>()), document.at("nodes")};
  } catch (const nlohmann::json::exception &error) {
    return fail(Errc::invalid_input, std::string("read cluster.json: ") + error.what());
  }
}

Result<State> read_state(const Place &place, const std::string &name) {
  if (auto checked = check_cluster_name(name); !checked)
    return fail(std::move(checked.error()));
  auto text = kernel::read_file(Paths::of(name, place.root).state);
  if (text)
    return parse_state(*text);
  if (text.error().code() != Errc::not_found)
    return fail(std::move(text.error()));
  std::string others;
  for (const auto &other : kernel::names_in(place.root))
    others += (others.empty() ? "" : ", ") + other;
  return fail(Errc::not_found,
              "there is no cluster \"" + name + "\"" +
                  (others.empty() ? "; there are none at all" : "; these exist: " + others));
}

std::string ClusterInfo::state() const {
  if (created.empty())
    return "incomplete";
  std::string missing;
  for (const auto &member : members)
    if (!member.running)
      missing += (missing.empty() ? "" : ", ") + member.name;
  return missing.empty() ? "running" : "degraded: " + missing + " is not running";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string member_cgroup(const std::string &cluster_cgroup, const std::string &member) {
  return cluster_cgroup + "/" + member;
}

} // namespace sluice::cluster
