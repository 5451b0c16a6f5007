#include "controlplane/patch/strategic_merge.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr std::string_view kOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitives = "$deleteFromPrimitiveList/";

std::string joined(const std::string &path, std::string_view field) {
  return path.empty() ? std::string(field) : path + "." + std::string(field);
}

bool is_directive(std::string_view field) { return field.substr(0, 1) == "$"; }

class Merger {
public:
  explicit Merger(const ListRules &rules) : rules_(rules) {}
  Result<json> object(const std::string &path, json target, const json &patch) const;

private:
  ListMerge rule_for(std::string_view path) const { return rules_ ? rules_(path) : ListMerge{}; }
  Result<json> value(const std::string &path, json target, const json &patch,
                     const json *order) const;
  Result<json> list(const std::string &path, const ListMerge &rule, json target,
                    const json &patch) const;
  Result<> item(const std::string &path, const ListMerge &rule, json &target,
                const json &patch) const;

  const ListRules &rules_;
};

bool merges(const ListMerge &rule) { return rule.strategy != ListMerge::Strategy::replace; }

/// What identifies an item of a merging list: the item itself, or its key field (null if absent).
json identity(const ListMerge &rule, const json &item) {
  if (rule.strategy != ListMerge::Strategy::merge_map)
    return item;
  return item.is_object() ? item.value(rule.key, json()) : json();
}

std::ptrdiff_t position(const ListMerge &rule, const json &items, const json &id) {
  for (std::size_t i = 0; i < items.size(); ++i)
    if (identity(rule, items[i]) == id)
      return static_cast<std::ptrdiff_t>(i);
  return -1;
}

/// Items named by `order` come in that order; an item that only the server has keeps its place
/// before the ones that it preceded in `before`.
json ordered(const ListMerge &rule, const json &merged, const json &before, const json &order) {
  std::vector<json> asked, others;
  for (const auto &entry : order) {
    const auto at = position(rule, merged, identity(rule, entry));
    if (at >= 0)
      asked.push_back(merged[static_cast<std::size_t>(at)]);
  }
  for (const auto &item : merged)
    if (position(rule, order, identity(rule, item)) < 0)
      others.push_back(item);
  json result = json::array();
  auto other = others.begin();
  for (auto &item : asked) {
    const auto here = position(rule, before, identity(rule, item));
    for (; other != others.end(); ++other) {
      const auto there = position(rule, before, identity(rule, *other));
      if (here < 0 || there < 0 || there > here)
        break;
      result.push_back(std::move(*other));
    }
    result.push_back(std::move(item));
  }
  for (; other != others.end(); ++other)
    result.push_back(std::move(*other));
  return result;
}

void remove_items(const ListMerge &rule, json &items, const json &id) {
  for (auto at = position(rule, items, id); at >= 0; at = position(rule, items, id))
    items.erase(static_cast<std::size_t>(at));
}

std::string directive_of(const json &patch) {
  if (!patch.is_object() || !patch.contains("$patch"))
    return {};
  const auto &directive = patch["$patch"];
  return directive.is_string() ? directive.get<std::string>() : directive.dump();
}

json without_directives(const json &patch) {
  if (!patch.is_object())
    return patch;
  json result = json::object();
  for (const auto &[field, value] : patch.items())
    if (!is_directive(field) && !value.is_null())
      result[field] = without_directives(value);
  return result;
}

Result<> retain_keys(const std::string &path, json &target, const json &patch) {
  const auto keys = patch.find("$retainKeys");
  if (keys == patch.end())
    return {};
  if (!keys->is_array())
    return fail(Errc::invalid_input, path + ": $retainKeys must be a list of field names");
  for (const auto &[field, value] : patch.items())
    if (!is_directive(field) && !value.is_null() &&
        std::find(keys->begin(), keys->end(), json(field)) == keys->end())
      return fail(Errc::invalid_input,
                  path + ": $retainKeys must name \"" + field + "\", which the patch sets");
  for (auto member = target.begin(); member != target.end();)
    member = std::find(keys->begin(), keys->end(), json(member.key())) == keys->end()
                 ? target.erase(member)
                 : std::next(member);
  return {};
}

Result<> delete_primitives(const std::string &path, json &target, const json &patch) {
  for (const auto &[field, values] : patch.items()) {
    if (field.rfind(kDeletePrimitives, 0) != 0)
      continue;
    const auto name = field.substr(kDeletePrimitives.size());
    if (!values.is_array())
      return fail(Errc::invalid_input, joined(path, field) + " must be a list");
    const auto list = target.find(name);
    if (list == target.end() || !list->is_array())
      continue;
    for (const auto &value : values)
      remove_items(ListMerge{}, *list, value);
  }
  return {};
}

Result<> reorder_untouched(const std::string &path, const ListMerge &rule, json &target,
                           const std::string &name, const json &order) {
  if (!order.is_array())
    return fail(Errc::invalid_input, joined(path, std::string(kOrder) + name) + " must be a list");
  const auto list = target.find(name);
  if (merges(rule) && list != target.end() && list->is_array())
    *list = ordered(rule, *list, *list, order);
  return {};
}

Result<> Merger::item(const std::string &path, const ListMerge &rule, json &target,
                      const json &patch) const {
  const auto id = identity(rule, patch);
  if (id.is_null())
    return fail(Errc::invalid_input,
                path + ": an item does not contain the merge key \"" + rule.key + "\"");
  if (directive_of(patch) == "delete") {
    remove_items(rule, target, id);
    return {};
  }
  const auto at = position(rule, target, id);
  if (rule.strategy != ListMerge::Strategy::merge_map) {
    if (at < 0)
      target.push_back(patch);
    return {};
  }
  auto &slot = at < 0 ? target.emplace_back(json::object()) : target[static_cast<std::size_t>(at)];
  auto merged = object(path, std::move(slot), patch);
  if (!merged)
    return fail(merged.error());
  slot = std::move(*merged);
  return {};
}

Result<json> Merger::list(const std::string &path, const ListMerge &rule, json target,
                          const json &patch) const {
  const bool replace = std::any_of(patch.begin(), patch.end(), [](const json &entry) {
    return directive_of(entry) == "replace" && entry.size() == 1;
  });
  if (replace || !target.is_array())
    target = json::array();
  for (const auto &entry : patch) {
    if (replace && directive_of(entry) == "replace" && entry.size() == 1)
      continue;
    auto done = item(path, rule, target, entry);
    if (!done)
      return fail(done.error());
  }
  return target;
}

Result<json> Merger::value(const std::string &path, json target, const json &patch,
                           const json *order) const {
  if (patch.is_object())
    return object(path, target.is_object() ? std::move(target) : json::object(), patch);
  const auto rule = rule_for(path);
  if (!patch.is_array() || !merges(rule))
    return patch;
  const json before = target.is_array() ? target : json::array();
  auto merged = list(path, rule, std::move(target), patch);
  if (!merged || order == nullptr || !order->is_array())
    return merged;
  return ordered(rule, *merged, before, *order);
}

Result<json> Merger::object(const std::string &path, json target, const json &patch) const {
  const auto directive = directive_of(patch);
  if (directive == "replace")
    return without_directives(patch);
  if (directive == "delete")
    return json::object();
  if (!directive.empty() && directive != "merge")
    return fail(Errc::invalid_input, path + ": unknown directive $patch: " + directive);
  auto prepared = retain_keys(path, target, patch);
  if (prepared)
    prepared = delete_primitives(path, target, patch);
  if (!prepared)
    return fail(prepared.error());
  for (const auto &[field, change] : patch.items()) {
    if (field.rfind(kOrder, 0) == 0) {
      const auto name = field.substr(kOrder.size());
      auto done = patch.contains(name)
                      ? Result<>()
                      : reorder_untouched(path, rule_for(joined(path, name)), target, name, change);
      if (!done)
        return fail(done.error());
    }
    if (is_directive(field))
      continue;
    if (change.is_null()) {
      target.erase(field);
      continue;
    }
    const auto order = patch.find(std::string(kOrder) + field);
    auto merged = value(joined(path, field), target.value(field, json()), change,
                        order == patch.end() ? nullptr : &*order);
    if (!merged)
      return merged;
    target[field] = std::move(*merged);
  }
  return target;
}

} // namespace

Result<json> strategic_merge_patch(const ListRules &rules, json target, const json &patch) {
  if (!patch.is_object() || !target.is_object())
    return fail(Errc::invalid_input, "a strategic merge patch is a JSON object");
  return Merger(rules).object("", std::move(target), patch);
}

} // namespace sluice::controlplane
