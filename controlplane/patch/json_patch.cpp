#include "controlplane/patch/json_patch.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace sluice::controlplane {
namespace {

using json = nlohmann::json;
using Tokens = std::vector<std::string>;

std::string in_quotes(std::string_view text) { return '"' + std::string(text) + '"'; }

Result<std::string> unescape(std::string_view token) {
  std::string text;
  for (std::size_t at = 0; at < token.size(); ++at) {
    if (token[at] != '~') {
      text += token[at];
      continue;
    }
    ++at;
    if (at == token.size() || (token[at] != '0' && token[at] != '1'))
      return fail(Errc::invalid_input, "\"~\" must be followed by 0 or 1");
    text += token[at] == '0' ? '~' : '/';
  }
  return text;
}

/// RFC 6901: "" is the whole document, "/a/b" its member b of a.
Result<Tokens> parse_pointer(std::string_view pointer) {
  Tokens tokens;
  if (!pointer.empty() && pointer.front() != '/')
    return fail(Errc::invalid_input, "path " + in_quotes(pointer) + " must begin with \"/\"");
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    SLUICE_ASSIGN(auto token, unescape(pointer.substr(0, end)), "path " + in_quotes(pointer));
    tokens.push_back(std::move(token));
    pointer.remove_prefix(end);
  }
  return tokens;
}

/// An index into a list of `size` items; `end_allowed` admits `size` itself and "-".
Result<std::size_t> parse_index(const std::string &token, std::size_t size, bool end_allowed) {
  if (end_allowed && token == "-")
    return size;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  const bool number = error == std::errc() && end == token.data() + token.size();
  if (!number || (token.size() > 1 && token.front() == '0'))
    return fail(Errc::not_found, in_quotes(token) + " is not an index into a list");
  if (index > size || (index == size && !end_allowed))
    return fail(Errc::not_found,
                "index " + token + " is outside of a list of " + std::to_string(size) + " items");
  return index;
}

Result<json *> step(json &from, const std::string &token) {
  if (from.is_object()) {
    const auto member = from.find(token);
    if (member == from.end())
      return fail(Errc::not_found, "there is no " + in_quotes(token));
    return &*member;
  }
  if (!from.is_array())
    return fail(Errc::not_found, in_quotes(token) +
                                     " is looked for in something that is neither an "
                                     "object nor a list");
  const auto index = parse_index(token, from.size(), false);
  if (!index)
    return fail(index.error());
  return &from[*index];
}

Result<json *> walk(json &document, std::span<const std::string> tokens) {
  json *at = &document;
  for (const auto &token : tokens) {
    auto next = step(*at, token);
    if (!next)
      return next;
    at = *next;
  }
  return at;
}

std::span<const std::string> parent_of(const Tokens &tokens) {
  return std::span(tokens).first(tokens.size() - 1);
}

Result<> add(json &document, const Tokens &path, json value) {
  if (path.empty()) {
    document = std::move(value);
    return {};
  }
  auto parent = walk(document, parent_of(path));
  if (!parent)
    return fail(parent.error());
  if ((*parent)->is_object()) {
    (**parent)[path.back()] = std::move(value);
    return {};
  }
  if (!(*parent)->is_array())
    return fail(Errc::not_found, "the parent is neither an object nor a list");
  auto index = parse_index(path.back(), (*parent)->size(), true);
  if (!index)
    return fail(index.error());
  (*parent)->insert((*parent)->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return {};
}

Result<json> take(json &document, const Tokens &path) {
  auto found = walk(document, path);
  if (!found)
    return fail(found.error());
  json value = std::move(**found);
  if (path.empty()) {
    document = nullptr;
    return value;
  }
  json &parent = **walk(document, parent_of(path));
  if (parent.is_object())
    parent.erase(path.back());
  else
    parent.erase(*parse_index(path.back(), parent.size(), false));
  return value;
}

struct Operation {
  std::string name;
  Tokens path, from;
  json value;
};

Result<std::string> text_member(const json &operation, const char *name) {
  const auto member = operation.find(name);
  if (member == operation.end() || !member->is_string())
    return fail(Errc::invalid_input, "needs " + in_quotes(name) + " as a string");
  return member->get<std::string>();
}

Result<Operation> parse_operation(const json &text) {
  if (!text.is_object())
    return fail(Errc::invalid_input, "is not an object");
  Operation operation;
  auto name = text_member(text, "op");
  if (!name)
    return fail(name.error());
  operation.name = std::move(*name);
  SLUICE_ASSIGN(const auto path, text_member(text, "path"), operation.name);
  SLUICE_ASSIGN(operation.path, parse_pointer(path), operation.name);
  if (operation.name == "move" || operation.name == "copy") {
    SLUICE_ASSIGN(const auto from, text_member(text, "from"), operation.name);
    SLUICE_ASSIGN(operation.from, parse_pointer(from), operation.name);
    return operation;
  }
  if (operation.name == "remove")
    return operation;
  if (operation.name != "add" && operation.name != "replace" && operation.name != "test")
    return fail(Errc::invalid_input, "unknown operation " + in_quotes(operation.name));
  const auto value = text.find("value");
  if (value == text.end())
    return fail(Errc::invalid_input, operation.name + " " + in_quotes(path) + " needs \"value\"");
  operation.value = *value;
  return operation;
}

Result<> test(json &document, const Operation &operation) {
  auto found = walk(document, operation.path);
  if (!found)
    return fail(found.error());
  if (**found != operation.value)
    return fail(Errc::conflict,
                "the value is " + (*found)->dump(-1, ' ', false, json::error_handler_t::replace));
  return {};
}

/// Moving a value into itself cannot work (RFC 6902 section 4.4).
bool inside(const Tokens &path, const Tokens &from) {
  return path.size() > from.size() && std::equal(from.begin(), from.end(), path.begin());
}

Result<> apply(json &document, Operation operation) {
  if (operation.name == "test")
    return test(document, operation);
  if (operation.name == "add")
    return add(document, operation.path, std::move(operation.value));
  if (operation.name == "copy") {
    auto found = walk(document, operation.from);
    if (!found)
      return fail(found.error());
    return add(document, operation.path, json(**found));
  }
  if (operation.name == "replace") {
    auto found = walk(document, operation.path);
    if (!found)
      return fail(found.error());
    **found = std::move(operation.value);
    return {};
  }
  if (operation.name == "move" && inside(operation.path, operation.from))
    return fail(Errc::conflict, "a value cannot move into itself");
  auto value = take(document, operation.name == "move" ? operation.from : operation.path);
  if (!value)
    return fail(value.error());
  return operation.name == "move" ? add(document, operation.path, std::move(*value)) : Result<>();
}

} // namespace

json merge_patch(json target, const json &patch) {
  target.merge_patch(patch);
  return target;
}

Result<json> json_patch(json target, const json &operations) {
  if (!operations.is_array())
    return fail(Errc::invalid_input, "a JSON patch is a list of operations");
  std::vector<Operation> parsed;
  for (const auto &text : operations) {
    SLUICE_ASSIGN(auto operation, parse_operation(text),
                  "JSON patch operation " + std::to_string(parsed.size()));
    parsed.push_back(std::move(operation));
  }
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    const auto doing = "JSON patch operation " + std::to_string(i) + " (" + parsed[i].name + " " +
                       in_quotes(operations[i]["path"].get<std::string>()) + ")";
    SLUICE_TRY(apply(target, std::move(parsed[i])), doing);
  }
  return target;
}

} // namespace sluice::controlplane
