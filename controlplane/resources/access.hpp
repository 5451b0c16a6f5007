#pragma once
// Looking into documents of any shape. Clients send what they like: nothing here throws, a wrong
// type reads as absent. Paths are fixed field names joined by dots ("spec.ports"); map keys that
// may hold dots (labels) are looked up one step at a time.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::controlplane {

using nlohmann::json;

/// The value at `path`, or null.
const json &at(const json &document, std::string_view path);
/// The value at `path`, or nullptr if a step is missing; for changing it.
json *find(json &document, std::string_view path);
/// The member `field` made an object if it is absent or null; nullptr if it is something else.
json *object_at(json &document, const std::string &field);

std::string text(const json &document, std::string_view path, std::string_view otherwise = "");
std::int64_t number(const json &document, std::string_view path, std::int64_t otherwise = 0);
bool flag(const json &document, std::string_view path, bool otherwise = false);
/// Absent, null, or an empty string, list or map.
bool is_empty(const json &document, std::string_view path);
/// A list at `path`, or an empty list.
const json &list(const json &document, std::string_view path);
/// An object at `path`, or an empty object.
const json &map(const json &document, std::string_view path);
/// The strings of a list.
std::vector<std::string> texts(const json &document, std::string_view path);

/// Sets `field` if `object` is an object that lacks it (or has null there).
void set_default(json &object, const std::string &field, json value);
/// As set_default, and also if the string there is empty.
void set_default_text(json &object, const std::string &field, std::string_view value);

/// JSON text that cannot fail: broken UTF-8 is replaced.
std::string dump(const json &value);

} // namespace sluice::controlplane
