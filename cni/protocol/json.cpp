#include "cni/protocol/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_in_any_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

/// How many brackets are open at most. Text in strings does not count.
std::size_t depth_of(std::string_view text) noexcept {
  std::size_t open = 0, most = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"')
      in_string = !in_string;
    else if (in_string)
      i += c == '\\' ? 1U : 0U;
    else if (c == '[' || c == '{')
      most = std::max(most, ++open);
    else if ((c == ']' || c == '}') && open > 0)
      --open;
  }
  return most;
}

const Json *find_even_null(const Json &object, std::string_view key) {
  if (!object.is_object())
    return nullptr;
  const Json *found = nullptr;
  // Not items(): that copies every key.
  for (const auto &[name, value] : object.get_ref<const Json::object_t &>())
    if (equal_in_any_case(name, key))
      found = &value;
  return found;
}

} // namespace

const Json *find_member(const Json &object, std::string_view key) {
  const Json *found = find_even_null(object, key);
  return found && found->is_null() ? nullptr : found;
}

std::string to_text(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

JsonDocument::JsonDocument() : root_(std::make_unique<Json>(Json::object())) {}
JsonDocument::JsonDocument(std::unique_ptr<Json> root) noexcept : root_(std::move(root)) {}
JsonDocument::JsonDocument(JsonDocument &&) noexcept = default;
JsonDocument &JsonDocument::operator=(JsonDocument &&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Outcome<JsonDocument> JsonDocument::parse(std::string_view text) {
  // Printing a value costs stack for each level.
  if (depth_of(text) > kMaxDepth)
    return fail(Code::decode, "the text is not valid JSON",
                "it is nested deeper than " + std::to_string(kMaxDepth) + " levels");
  try {
    return JsonDocument(std::make_unique<Json>(Json::parse(text)));
  } catch (const Json::exception &mistake) {
    return fail(Code::decode, "the text is not valid JSON", mistake.what());
  }
}

CniError ObjectReader::wrong(std::string_view key, const std::string &why) const {
  const Json *value = find_member(*object_, key);
  constexpr std::size_t kQuoteAtMost = 200;
  auto text = value ? to_text(*value) : std::string("absent");
  if (text.size() > kQuoteAtMost)
    text = text.substr(0, kQuoteAtMost) + "...";
  return {Code::invalid_config, path_ + std::string(key) + " is " + text + ": " + why};
}

bool ObjectReader::mentions(std::string_view key) const {
  return find_even_null(*object_, key) != nullptr;
}

Outcome<> ObjectReader::read(std::string_view key, std::string &into) const {
  const Json *value = find_member(*object_, key);
  if (!value)
    return {};
  if (!value->is_string())
    return fail(wrong(key, "expected a string"));
  into = value->get_ref<const std::string &>();
  return {};
}

Outcome<> ObjectReader::read(std::string_view key, bool &into) const {
  const Json *value = find_member(*object_, key);
  if (!value)
    return {};
  if (!value->is_boolean())
    return fail(wrong(key, "expected true or false"));
  into = value->get<bool>();
  return {};
}

Outcome<> ObjectReader::read(std::string_view key, std::vector<std::string> &into) const {
  const Json *value = find_member(*object_, key);
  if (!value)
    return {};
  if (!value->is_array() ||
      !std::all_of(value->begin(), value->end(), [](const Json &item) { return item.is_string(); }))
    return fail(wrong(key, "expected a list of strings"));
  into = value->get<std::vector<std::string>>();
  return {};
}

Outcome<std::optional<std::int64_t>> ObjectReader::number(std::string_view key, std::int64_t least,
                                                          std::int64_t most) const {
  const Json *value = find_member(*object_, key);
  if (!value)
    return std::optional<std::int64_t>{};
  const bool too_big = value->is_number_unsigned() &&
                       value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  if (!value->is_number_integer() || too_big || value->get<std::int64_t>() < least ||
      value->get<std::int64_t>() > most)
    return fail(wrong(key, "expected a whole number from " + std::to_string(least) + " to " +
                               std::to_string(most)));
  return std::optional<std::int64_t>(value->get<std::int64_t>());
}

Outcome<std::optional<ObjectReader>> ObjectReader::object(std::string_view key) const {
  const Json *value = find_member(*object_, key);
  if (!value)
    return std::optional<ObjectReader>{};
  if (!value->is_object())
    return fail(wrong(key, "expected an object"));
  return std::optional<ObjectReader>(ObjectReader(*value, path_ + std::string(key) + "."));
}

Outcome<std::vector<ObjectReader>> ObjectReader::objects(std::string_view key) const {
  std::vector<ObjectReader> list;
  const Json *value = find_member(*object_, key);
  if (!value)
    return list;
  if (!value->is_array())
    return fail(wrong(key, "expected a list of objects"));
  for (const auto &item : *value) {
    if (!item.is_object())
      return fail(wrong(key, "expected a list of objects"));
    list.emplace_back(item, path_ + std::string(key) + "[" + std::to_string(list.size()) + "].");
  }
  return list;
}

Outcome<std::vector<std::vector<ObjectReader>>>
ObjectReader::object_lists(std::string_view key) const {
  std::vector<std::vector<ObjectReader>> lists;
  const Json *value = find_member(*object_, key);
  if (!value)
    return lists;
  if (!value->is_array())
    return fail(wrong(key, "expected a list of lists of objects"));
  for (const auto &list : *value) {
    if (!list.is_array() ||
        !std::all_of(list.begin(), list.end(), [](const Json &item) { return item.is_object(); }))
      return fail(wrong(key, "expected a list of lists of objects"));
    auto &readers = lists.emplace_back();
    for (const auto &item : list)
      readers.emplace_back(item, path_ + std::string(key) + "[" + std::to_string(lists.size() - 1) +
                                     "][" + std::to_string(readers.size()) + "].");
  }
  return lists;
}

} // namespace sluice::cni
