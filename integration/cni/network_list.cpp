#include "integration/cni/network_list.hpp"

#include <nlohmann/json.hpp>

namespace sluice::integration {

using nlohmann::json;

namespace {

/// What of `args` the plugin declares in its capabilities.
json runtime_config(const json &plugin, const json &args) {
  json config = json::object();
  const auto capabilities = plugin.value("capabilities", json::object());
  for (const auto &[name, wanted] : capabilities.items())
    if (wanted == true && args.contains(name))
      config[name] = args[name];
  return config;
}

bool is_json(const std::string &text) { return json::accept(text); }

} // namespace

NetworkList::NetworkList(Runtime &runtime, const std::string &list, std::string capability_args)
    : runtime_(runtime) {
  auto document = json::parse(list);
  if (!document.contains("plugins"))
    document = {{"cniVersion", document.value("cniVersion", "")},
                {"name", document["name"]},
                {"plugins", {document}}};
  version_ = document["cniVersion"];
  disable_check_ = document.value("disableCheck", false);
  disable_gc_ = document.value("disableGC", false);
  for (auto plugin : document["plugins"]) {
    plugin["cniVersion"] = version_;
    plugin["name"] = document["name"];
    if (const auto config = runtime_config(plugin, json::parse(capability_args)); !config.empty())
      plugin["runtimeConfig"] = config;
    plugins_.push_back({plugin["type"], plugin.dump()});
  }
}

PluginRun NetworkList::call(Command command, const Plugin &plugin, const std::string &id,
                            const std::string &previous, const std::string &more) {
  calls.push_back(std::string(name_of(command)) + " " + plugin.type);
  auto config = plugin.config;
  config.insert(config.size() - 1, more);
  if (!previous.empty())
    config = cni::with_previous(config, previous);
  return runtime_.named(plugin.type, command, id, config);
}

PluginRun NetworkList::add(const std::string &id) {
  std::string result;
  for (std::size_t i = 0; i < plugins_.size(); ++i) {
    auto run = call(Command::add, plugins_[i], id, result);
    if (run.exit_status != 0) {
      (void)del_all(id, plugins_.size());
      return run;
    }
    result = run.output;
  }
  kept[id] = result;
  return {0, result};
}

PluginRun NetworkList::del_all(const std::string &id, std::size_t count) {
  const auto found = kept.find(id);
  const bool sends = has_check(version_) && found != kept.end() && is_json(found->second);
  while (count-- > 0)
    if (auto run = call(Command::del, plugins_[count], id, sends ? found->second : "");
        run.exit_status != 0)
      return run;
  kept.erase(id);
  return {};
}

PluginRun NetworkList::del(const std::string &id) { return del_all(id, plugins_.size()); }

PluginRun NetworkList::check(const std::string &id) {
  if (disable_check_)
    return {};
  if (!is_json(kept[id]))
    return {1, "the kept result is damaged"};
  for (const auto &plugin : plugins_)
    if (auto run = call(Command::check, plugin, id, kept[id]); run.exit_status != 0)
      return run;
  return {};
}

PluginRun NetworkList::status() {
  for (const auto &plugin : plugins_)
    if (auto run = call(Command::status, plugin, "c1", ""); run.exit_status != 0)
      return run;
  return {};
}

PluginRun NetworkList::gc(const std::vector<std::string> &valid) {
  if (disable_gc_)
    return {};
  auto list = json::array();
  for (const auto &id : valid)
    list.push_back({{"containerID", id}, {"ifname", "eth0"}});
  PluginRun first;
  const auto known = kept;
  for (const auto &[id, result] : known)
    if (std::find(valid.begin(), valid.end(), id) == valid.end())
      if (auto run = del(id); run.exit_status != 0 && first.exit_status == 0)
        first = run;
  const auto more =
      sends_valid_attachments ? ",\"cni.dev/valid-attachments\":" + list.dump() : std::string();
  for (const auto &plugin : plugins_)
    if (auto run = call(Command::gc, plugin, "", "", more);
        run.exit_status != 0 && first.exit_status == 0)
      first = run;
  return first;
}

} // namespace sluice::integration
