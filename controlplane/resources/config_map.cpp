#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr std::size_t kMaxBytes = 1024 * 1024;

std::string key_problem(const std::string &key) {
  const bool valid = !key.empty() && key != "." && key.rfind("..", 0) != 0 &&
                     std::all_of(key.begin(), key.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                     });
  if (key.size() > 253)
    return "must be no more than 253 characters";
  return valid ? ""
               : "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
                 "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
                 "'[-._a-zA-Z0-9]+')";
}

FieldErrors validate(const json &object, const json *old) {
  FieldChecker errors;
  std::size_t bytes = 0;
  for (const auto *part : {"data", "binaryData"})
    for (const auto &[key, value] : map(object, part).items()) {
      errors.check(std::string(part) + "[" + key + "]", key, key_problem(key));
      bytes += text(value, "").size();
    }
  for (const auto &[key, value] : map(object, "data").items())
    if (map(object, "binaryData").contains(key))
      errors.invalid("data[" + key + "]", key, "duplicate of key present in binaryData");
  if (bytes > kMaxBytes)
    errors.too_long("", kMaxBytes);
  if (old != nullptr && flag(*old, "immutable")) {
    if (!flag(object, "immutable"))
      errors.forbidden("immutable", "field is immutable when `immutable` is set");
    for (const auto *part : {"data", "binaryData"})
      if (at(object, part) != at(*old, part))
        errors.forbidden(part, "field is immutable when `immutable` is set");
  }
  return errors.take();
}

} // namespace

ResourceType config_map_type() {
  ResourceType type;
  type.version = "v1";
  type.kind = "ConfigMap";
  type.plural = "configmaps";
  type.singular = "configmap";
  type.shortNames = {"cm"};
  type.validate = validate;
  type.columns = {name_column(), {"Data"}, age_column()};
  type.cells = [](const json &object, SystemTime now) {
    const auto entries = map(object, "data").size() + map(object, "binaryData").size();
    return json::array(
        {text(object, "metadata.name"), entries, age(object, "metadata.creationTimestamp", now)});
  };
  type.list_merge = list_merges();
  use_schema(type, R"({"data": "map", "binaryData": "map", "immutable": "bool"})");
  return type;
}

} // namespace sluice::controlplane
