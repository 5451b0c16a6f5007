#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

const json kNull;
const json kEmptyList = json::array();
const json kEmptyMap = json::object();

} // namespace

const json &at(const json &document, std::string_view path) {
  const json *here = &document;
  while (!path.empty()) {
    const auto end = std::min(path.find('.'), path.size());
    if (!here->is_object())
      return kNull;
    const auto member = here->find(std::string(path.substr(0, end)));
    if (member == here->end())
      return kNull;
    here = &*member;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return *here;
}

json *find(json &document, std::string_view path) {
  const json &found = at(document, path);
  return &found == &kNull ? nullptr : const_cast<json *>(&found);
}

json *object_at(json &document, const std::string &field) {
  if (!document.is_object())
    return nullptr;
  json &member = document[field];
  if (member.is_null())
    member = json::object();
  return member.is_object() ? &member : nullptr;
}

std::string text(const json &document, std::string_view path, std::string_view otherwise) {
  const json &value = at(document, path);
  return value.is_string() ? value.get<std::string>() : std::string(otherwise);
}

std::int64_t number(const json &document, std::string_view path, std::int64_t otherwise) {
  const json &value = at(document, path);
  return value.is_number_integer() ? value.get<std::int64_t>() : otherwise;
}

bool flag(const json &document, std::string_view path, bool otherwise) {
  const json &value = at(document, path);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

bool is_empty(const json &document, std::string_view path) {
  const json &value = at(document, path);
  if (value.is_string())
    return value.get_ref<const std::string &>().empty();
  return value.is_null() || (value.is_structured() && value.empty());
}

const json &list(const json &document, std::string_view path) {
  const json &value = at(document, path);
  return value.is_array() ? value : kEmptyList;
}

const json &map(const json &document, std::string_view path) {
  const json &value = at(document, path);
  return value.is_object() ? value : kEmptyMap;
}

std::vector<std::string> texts(const json &document, std::string_view path) {
  std::vector<std::string> result;
  for (const auto &item : list(document, path))
    if (item.is_string())
      result.push_back(item.get<std::string>());
  return result;
}

void set_default(json &object, const std::string &field, json value) {
  if (!object.is_object())
    return;
  json &member = object[field];
  if (member.is_null())
    member = std::move(value);
}

void set_default_text(json &object, const std::string &field, std::string_view value) {
  if (object.is_object() && is_empty(object, field) && !at(object, field).is_structured())
    object[field] = value;
}

std::string dump(const json &value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace sluice::controlplane
