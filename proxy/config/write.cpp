#include "proxy/config/fields.hpp"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace sluice::proxy::config {
namespace {

using nlohmann::json;

struct ToJson {
  json operator()(const std::string *slot) const { return *slot; }
  json operator()(const bool *slot) const { return *slot; }
  json operator()(const std::int32_t *slot) const { return *slot; }
  json operator()(const float *slot) const { return *slot; }
  json operator()(const nanoseconds *slot) const { return duration_text(*slot); }
  json operator()(const Texts *slot) const { return slot->empty() ? json() : json(*slot); }
  json operator()(const FeatureGates *slot) const {
    return slot->empty() ? json::object() : json(*slot);
  }
  json operator()(const VModule *slot) const {
    auto out = json::array();
    for (const auto &[pattern, level] : *slot)
      out.push_back({{"filePattern", pattern}, {"verbosity", level}});
    return slot->empty() ? json() : out;
  }
};

json::json_pointer pointer(std::string_view path) {
  std::string text = "/" + std::string(path);
  std::replace(text.begin(), text.end(), '.', '/');
  return json::json_pointer(text);
}

void emit(YAML::Emitter &out, const json &value) {
  if (value.is_object()) {
    if (value.empty())
      out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto &[key, item] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, item);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const auto &item : value)
      emit(out, item);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    const auto &text = value.get_ref<const std::string &>();
    // A text that looks like something else is quoted.
    if (text.empty() || text.find_first_not_of("0123456789.") == std::string::npos)
      out << YAML::DoubleQuoted;
    out << text;
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();
  }
}

} // namespace

json to_json(const KubeProxyConfiguration &config) {
  json out = {{"apiVersion", "kubeproxy.config.k8s.io/v1alpha1"},
              {"kind", "KubeProxyConfiguration"}};
  for (const auto &field : fields())
    out[pointer(field.path)] = std::visit(ToJson{}, slot_of(field, config));
  return out;
}

std::string to_yaml(const KubeProxyConfiguration &config) {
  YAML::Emitter out;
  emit(out, to_json(config));
  return std::string(out.c_str()) + "\n";
}

std::vector<std::string> changed_fields(const KubeProxyConfiguration &before,
                                        const KubeProxyConfiguration &after) {
  std::vector<std::string> out;
  for (const auto &field : fields())
    if (!equal(slot_of(field, before), slot_of(field, after)))
      out.emplace_back(field.path);
  return out;
}

} // namespace sluice::proxy::config
