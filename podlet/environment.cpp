#include "podlet/environment.hpp"

#include <algorithm>

namespace sluice::podlet {
namespace {

using Variables = std::map<std::string, std::string>;

constexpr std::size_t kHostnameLimit = 63;

std::string first(const std::vector<IpAddress> &ips) {
  return ips.empty() ? std::string() : ips.front().str();
}

std::string joined(const std::vector<IpAddress> &ips) {
  std::string text;
  for (const auto &ip : ips)
    text += (text.empty() ? "" : ",") + ip.str();
  return text;
}

/// x of "prefix['x']".
std::optional<std::string> subscript(std::string_view path, std::string_view prefix) {
  if (path.substr(0, prefix.size()) != prefix)
    return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.size() < 4 || path.substr(0, 2) != "['" || path.substr(path.size() - 2) != "']")
    return std::nullopt;
  return std::string(path.substr(2, path.size() - 4));
}

std::string value_or_empty(const kube::Labels &labels, const std::string &key) {
  const auto found = labels.find(key);
  return found == labels.end() ? std::string() : found->second;
}

std::string expand(std::string_view text, const Variables &variables) {
  std::string out;
  while (!text.empty()) {
    if (text.substr(0, 2) == "$$") {
      out += '$';
      text.remove_prefix(2);
      continue;
    }
    const auto close = text.substr(0, 2) == "$(" ? text.find(')') : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    // A name that is not set stays as it is written.
    const auto found = variables.find(std::string(text.substr(2, close - 2)));
    out += found == variables.end() ? std::string(text.substr(0, close + 1)) : found->second;
    text.remove_prefix(close + 1);
  }
  return out;
}

Variables to_variables(const std::vector<std::string> &environment) {
  Variables variables;
  for (const auto &entry : environment)
    variables[entry.substr(0, entry.find('='))] = entry.substr(entry.find('=') + 1);
  return variables;
}

} // namespace

Result<std::string> field_value(const kube::Pod &pod, const PodContext &context,
                                std::string_view path) {
  if (path == "metadata.name")
    return pod.metadata.name;
  if (path == "metadata.namespace")
    return pod.metadata.namespace_;
  if (path == "metadata.uid")
    return pod.metadata.uid;
  if (path == "spec.nodeName")
    return context.node_name;
  if (path == "spec.serviceAccountName")
    return pod.serviceAccountName;
  if (path == "status.podIP")
    return first(context.pod_ips);
  if (path == "status.podIPs")
    return joined(context.pod_ips);
  if (path == "status.hostIP")
    return first(context.node_ips);
  if (const auto key = subscript(path, "metadata.labels"))
    return value_or_empty(pod.metadata.labels, *key);
  if (const auto key = subscript(path, "metadata.annotations"))
    return value_or_empty(pod.metadata.annotations, *key);
  return fail(Errc::invalid_input, "fieldRef \"" + std::string(path) + "\" is not supported");
}

Result<std::vector<std::string>>
environment_of(const kube::Pod &pod, const kube::Container &container, const PodContext &context) {
  Variables variables;
  variables["PATH"] = context.path;
  variables["HOSTNAME"] = hostname_of(pod, context.node_name);
  if (!context.api_host.empty()) {
    variables["KUBERNETES_SERVICE_HOST"] = context.api_host;
    variables["KUBERNETES_SERVICE_PORT"] = context.api_port;
  }
  for (const auto &variable : container.env) {
    auto value = expand(variable.value, variables);
    if (!variable.fieldPath.empty()) {
      SLUICE_ASSIGN(value, field_value(pod, context, variable.fieldPath),
                    "variable \"" + variable.name + "\"");
    }
    variables[variable.name] = value;
  }
  std::vector<std::string> environment;
  for (const auto &[name, value] : variables)
    environment.push_back(name + "=" + value);
  return environment;
}

Result<std::vector<std::string>> argv_of(const kube::Container &container,
                                         const std::vector<std::string> &environment) {
  if (container.command.empty())
    return fail(Errc::invalid_input, "container \"" + container.name +
                                         "\" has no command; there are no images here, so "
                                         "spec.containers[].command says what runs");
  const auto variables = to_variables(environment);
  std::vector<std::string> argv;
  for (const auto *words : {&container.command, &container.args})
    for (const auto &word : *words)
      argv.push_back(expand(word, variables));
  return argv;
}

std::string hostname_of(const kube::Pod &pod, const std::string &node_name) {
  if (pod.hostNetwork)
    return node_name;
  auto name = pod.hostname.empty() ? pod.metadata.name : pod.hostname;
  name.resize(std::min(name.size(), kHostnameLimit));
  while (!name.empty() && (name.back() == '-' || name.back() == '.'))
    name.pop_back();
  return name;
}

} // namespace sluice::podlet
