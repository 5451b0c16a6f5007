#pragma once
// How values become members of a JSON document: what is empty, zero, false or absent is left out.
// Only for the encode_*.cpp files.

#include "kube/codec.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube::encoding {

using nlohmann::json;

inline void put(json &into, const char *key, const std::string &value) {
  if (!value.empty())
    into[key] = value;
}
inline void put(json &into, const char *key, bool value) {
  if (value)
    into[key] = true;
}
inline void put(json &into, const char *key, std::int32_t value) {
  if (value != 0)
    into[key] = value;
}
inline void put(json &into, const char *key, const std::vector<std::string> &value) {
  if (!value.empty())
    into[key] = value;
}
inline void put(json &into, const char *key, const std::map<std::string, std::string> &value) {
  if (!value.empty())
    into[key] = value;
}
template <class T> void put(json &into, const char *key, const std::optional<T> &value) {
  if (value)
    into[key] = *value;
}
/// An object that was built; left out if it has no members.
inline void put_object(json &into, const char *key, json object) {
  if (!object.empty())
    into[key] = std::move(object);
}
/// A list of what `encode` makes of each element; left out if empty.
template <class T, class Encode>
void put_list(json &into, const char *key, const std::vector<T> &values, Encode encode) {
  if (values.empty())
    return;
  json &list = into[key] = json::array();
  for (const T &value : values)
    list.push_back(encode(value));
}

inline json encode(const IntOrString &value) {
  return value.name.empty() ? json(value.number) : json(value.name);
}
inline bool is_set(const IntOrString &value) { return !value.name.empty() || value.number != 0; }

json encode(const Condition &condition);
json document(const char *api_version, const char *kind, const ObjectMeta &metadata);

} // namespace sluice::kube::encoding
