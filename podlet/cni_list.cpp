#include "podlet/cni_list.hpp"

#include "kernel/files.hpp"
#include "kernel/spawn.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

namespace sluice::podlet {
namespace {

using nlohmann::json;

/// Generous: a plugin that waits for another agent has its own, shorter deadline.
constexpr std::chrono::seconds kPluginDeadline{60};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

Result<CniPlugin> parse_plugin(const json &plugin) {
  if (!plugin.is_object() || !plugin.contains("type") || !plugin["type"].is_string())
    return fail(Errc::invalid_input, "a plugin has no \"type\"");
  return CniPlugin{plugin["type"], plugin.dump()};
}

bool version_has(const NetworkList &list, std::string_view first) {
  // "0.3.1" < "0.4.0" < "1.0.0": every number has one digit.
  return std::string_view(list.cni_version) >= first;
}

/// What a failing plugin has printed: {"code": 11, "msg": "...", "details": "..."}.
std::string failure_text(const std::string &type, const kernel::Output &output) {
  const auto document = json::parse(output.stdout_text, nullptr, false);
  if (!document.is_object() || !document.contains("msg"))
    return "CNI plugin \"" + type + "\" " + output.status.str() +
           (output.stderr_text.empty() ? "" : ": " + output.stderr_text);
  std::string text = "CNI plugin \"" + type + "\": " + document.value("msg", "");
  if (const auto details = document.value("details", ""); !details.empty())
    text += ": " + details;
  return text + " (code " + std::to_string(document.value("code", 0)) + ")";
}

std::vector<std::string> plugin_environment(const std::string &command, const Attachment &to,
                                            const std::string &path) {
  std::vector<std::string> environment;
  for (char **entry = environ; *entry != nullptr; ++entry)
    if (std::string_view(*entry).substr(0, 4) != "CNI_")
      environment.emplace_back(*entry);
  environment.push_back("CNI_COMMAND=" + command);
  environment.push_back("CNI_CONTAINERID=" + to.container_id);
  environment.push_back("CNI_NETNS=" + to.netns);
  environment.push_back("CNI_IFNAME=" + to.interface);
  environment.push_back("CNI_ARGS=" + cni_args(to));
  environment.push_back("CNI_PATH=" + path);
  return environment;
}

void add_address(std::vector<IpAddress> &addresses, const json &holder, const char *member) {
  if (!holder.is_object() || !holder.contains(member) || !holder[member].is_string())
    return;
  if (const auto parsed = InterfaceAddress::parse(holder[member].get<std::string>()))
    addresses.push_back(parsed->ip);
}

} // namespace

Result<NetworkList> parse_network_list(std::string_view text) {
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object())
    return fail(Errc::invalid_input, "the CNI configuration is no JSON object");
  const auto text_of = [&](const char *member) {
    return document.contains(member) && document[member].is_string()
               ? document[member].get<std::string>()
               : std::string();
  };
  NetworkList list;
  list.name = text_of("name");
  list.cni_version = text_of("cniVersion").empty() ? "0.2.0" : text_of("cniVersion");
  if (list.name.empty())
    return fail(Errc::invalid_input, "the CNI configuration has no \"name\"");
  list.disable_check = document.contains("disableCheck") && document["disableCheck"] == true;
  json plugins = json::array({document});
  if (document.contains("plugins"))
    plugins = document["plugins"];
  if (!plugins.is_array() || plugins.empty())
    return fail(Errc::invalid_input, "\"plugins\" of the CNI configuration is no list of plugins");
  for (const auto &plugin : plugins) {
    SLUICE_ASSIGN(auto parsed, parse_plugin(plugin), "CNI configuration \"" + list.name + "\"");
    list.plugins.push_back(std::move(parsed));
  }
  return list;
}

std::string to_text(const NetworkList &list) {
  json plugins = json::array();
  for (const auto &plugin : list.plugins)
    plugins.push_back(json::parse(plugin.config));
  return json{{"cniVersion", list.cni_version},
              {"name", list.name},
              {"disableCheck", list.disable_check},
              {"plugins", plugins}}
      .dump();
}

Result<NetworkList> load_network_list(const std::string &folder) {
  for (const auto &name : kernel::names_in(folder)) {
    if (!ends_with(name, ".conflist") && !ends_with(name, ".conf") && !ends_with(name, ".json"))
      continue;
    const auto path = folder + "/" + name;
    SLUICE_ASSIGN(const auto text, kernel::read_file(path), "load CNI configuration");
    SLUICE_ASSIGN(auto list, parse_network_list(text), "load \"" + path + "\"");
    return list;
  }
  return fail(Errc::not_found, "no CNI configuration in \"" + folder + "\"");
}

std::string cni_args(const Attachment &attachment) {
  return "IgnoreUnknown=1;K8S_POD_NAMESPACE=" + attachment.pod_namespace +
         ";K8S_POD_NAME=" + attachment.pod_name +
         ";K8S_POD_INFRA_CONTAINER_ID=" + attachment.container_id +
         ";K8S_POD_UID=" + attachment.pod_uid;
}

std::string plugin_input(const NetworkList &list, const CniPlugin &plugin,
                         const std::string &previous_result) {
  auto config = json::parse(plugin.config);
  config["name"] = list.name;
  config["cniVersion"] = list.cni_version;
  config.erase("capabilities");
  if (!previous_result.empty())
    config["prevResult"] = json::parse(previous_result, nullptr, false);
  return config.dump();
}

std::vector<IpAddress> addresses_in(std::string_view result) {
  std::vector<IpAddress> addresses;
  const auto document = json::parse(result, nullptr, false);
  if (!document.is_object())
    return addresses;
  if (document.contains("ips") && document["ips"].is_array())
    for (const auto &entry : document["ips"])
      add_address(addresses, entry, "address");
  for (const char *family : {"ip4", "ip6"})
    if (document.contains(family))
      add_address(addresses, document[family], "ip");
  return addresses;
}

Result<std::string> CniRunner::find(const std::string &type) const {
  if (type.find('/') == std::string::npos)
    for (const auto &folder : bin_folders_)
      if (::access((folder + "/" + type).c_str(), X_OK) == 0)
        return folder + "/" + type;
  std::string searched;
  for (const auto &folder : bin_folders_)
    searched += " " + folder;
  return fail(Errc::not_found, "CNI plugin \"" + type + "\" is not in" + searched);
}

Result<std::string> CniRunner::run(const std::string &command, const NetworkList &list,
                                   const CniPlugin &plugin, const Attachment &attachment,
                                   const std::string &previous_result) const {
  SLUICE_ASSIGN(const auto program, find(plugin.type), command);
  std::string path;
  for (const auto &folder : bin_folders_)
    path += (path.empty() ? "" : ":") + folder;
  kernel::SpawnOptions options;
  options.argv = {program};
  options.environment = plugin_environment(command, attachment, path);
  const auto input = plugin_input(list, plugin, previous_result);
  auto output = kernel::run_program(options, input, kPluginDeadline);
  // A plugin that is just being installed over an old one (SPEC-conform installers rename).
  for (int attempt = 0; !output && output.error().sys() == ETXTBSY && attempt < 5; ++attempt) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    output = kernel::run_program(options, input, kPluginDeadline);
  }
  if (!output)
    return fail(std::move(output.error()).in(command));
  if (!output->status.success())
    return fail(Errc::unavailable, command + ": " + failure_text(plugin.type, *output));
  return output->stdout_text;
}

Result<std::string> CniRunner::add(const NetworkList &list, const Attachment &attachment) const {
  std::string result;
  for (const auto &plugin : list.plugins) {
    auto next = run("ADD", list, plugin, attachment, result);
    if (!next) {
      (void)remove(list, attachment, "");
      return fail(std::move(next.error()).in("network \"" + list.name + "\""));
    }
    result = std::move(*next);
  }
  return result;
}

Result<> CniRunner::check(const NetworkList &list, const Attachment &attachment,
                          const std::string &result) const {
  if (list.disable_check || !version_has(list, "0.4.0"))
    return {};
  for (const auto &plugin : list.plugins)
    if (auto checked = run("CHECK", list, plugin, attachment, result); !checked)
      return fail(std::move(checked.error()).in("network \"" + list.name + "\""));
  return {};
}

Result<> CniRunner::remove(const NetworkList &list, const Attachment &attachment,
                           const std::string &result) const {
  Result<> first;
  const auto previous = version_has(list, "0.4.0") ? result : std::string();
  for (auto plugin = list.plugins.rbegin(); plugin != list.plugins.rend(); ++plugin) {
    auto removed = run("DEL", list, *plugin, attachment, previous);
    if (!removed && first)
      first = fail(std::move(removed.error()).in("network \"" + list.name + "\""));
  }
  return first;
}

} // namespace sluice::podlet
