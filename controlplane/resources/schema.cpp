#include "controlplane/resources/schema.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

/// The parts that several kinds share.
const json &shared_parts() {
  static const json parts = json::parse(R"({
    "@meta": {
      "name": "string", "generateName": "string", "namespace": "string", "selfLink": "string",
      "uid": "string", "resourceVersion": "string", "generation": "int",
      "creationTimestamp": "time", "deletionTimestamp": "time", "deletionGracePeriodSeconds": "int",
      "labels": "map", "annotations": "map", "finalizers": ["string"], "managedFields": "any",
      "ownerReferences": [{"apiVersion": "string", "kind": "string", "name": "string",
        "uid": "string", "controller": "bool", "blockOwnerDeletion": "bool"}]},
    "@labelSelector": {"matchLabels": "map",
      "matchExpressions": [{"key": "string", "operator": "string", "values": ["string"]}]},
    "@objectReference": {"kind": "string", "namespace": "string", "name": "string", "uid": "string",
      "apiVersion": "string", "resourceVersion": "string", "fieldPath": "string"},
    "@conditions": [{"type": "string", "status": "string", "reason": "string", "message": "string",
      "lastTransitionTime": "time", "lastProbeTime": "time", "lastHeartbeatTime": "time",
      "observedGeneration": "int"}]
  })");
  return parts;
}

bool is_part(const std::string &name) { return name.front() == '@'; }

/// `root` holds the named parts beside the fields.
const json &resolved(const json &root, const json &schema) {
  if (schema.is_string() && is_part(schema.get_ref<const std::string &>()))
    return root.at(schema.get<std::string>());
  return schema;
}

std::string member_path(const std::string &path, const std::string &field) {
  return path.empty() ? field : path + "." + field;
}

std::string item_path(const std::string &path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

/// The schema of a member, or nullptr if it is unknown.
const json *member_schema(const json &schema, const std::string &field) {
  const auto known = schema.find(field);
  if (known != schema.end() && !field.empty() && !is_part(field))
    return &*known;
  const auto any = schema.find("*");
  return any == schema.end() ? nullptr : &*any;
}

void collect_unknown(const json &root, const json &reference, const json &value,
                     const std::string &path, std::vector<std::string> &unknown) {
  const json &schema = resolved(root, reference);
  if (schema.is_array() && value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      collect_unknown(root, schema[0], value[i], item_path(path, i), unknown);
  }
  if (!schema.is_object() || !value.is_object())
    return;
  for (const auto &[field, member] : value.items()) {
    const auto *known = member_schema(schema, field);
    if (known == nullptr)
      unknown.push_back(member_path(path, field));
    else
      collect_unknown(root, *known, member, member_path(path, field), unknown);
  }
}

struct Leaf {
  std::string_view name, article_and_name;
  bool (*accepts)(const json &);
};
bool is_string(const json &value) { return value.is_string(); }
bool is_integer(const json &value) { return value.is_number_integer(); }
bool is_boolean(const json &value) { return value.is_boolean(); }
bool is_text_or_number(const json &value) { return value.is_string() || value.is_number(); }
bool is_text_or_integer(const json &value) {
  return value.is_string() || value.is_number_integer();
}
bool is_string_map(const json &value) {
  return value.is_object() && std::all_of(value.begin(), value.end(), [](const json &member) {
           return member.is_string() || member.is_null();
         });
}
bool is_anything(const json &) { return true; }
const Leaf kLeaves[] = {
    {"string", "a string", is_string},
    {"time", "a time in RFC 3339 format", is_string},
    {"int", "an integer", is_integer},
    {"bool", "a boolean", is_boolean},
    {"intstr", "an integer or a string", is_text_or_integer},
    {"quantity", "a quantity", is_text_or_number},
    {"map", "a map of strings", is_string_map},
    {"any", "anything", is_anything},
};

void expect(bool holds, std::string_view wanted, const json &value, const std::string &path,
            FieldErrors &errors) {
  if (!holds)
    errors.push_back({"FieldValueTypeInvalid", path,
                      "Invalid value: " + dump(value) + ": must be " + std::string(wanted)});
}

void collect_type_errors(const json &root, const json &reference, const json &value,
                         const std::string &path, FieldErrors &errors) {
  const json &schema = resolved(root, reference);
  if (value.is_null())
    return;
  if (schema.is_string()) {
    for (const auto &leaf : kLeaves)
      if (leaf.name == schema.get_ref<const std::string &>())
        expect(leaf.accepts(value), leaf.article_and_name, value, path, errors);
  } else if (schema.is_array()) {
    expect(value.is_array(), "a list", value, path, errors);
    for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
      collect_type_errors(root, schema[0], value[i], item_path(path, i), errors);
  } else {
    expect(value.is_object(), "an object", value, path, errors);
    for (const auto &[field, member] : map(value, "").items())
      if (const auto *known = member_schema(schema, field))
        collect_type_errors(root, *known, member, member_path(path, field), errors);
  }
}

} // namespace

Schema::Schema(std::string_view text) {
  json root = json::parse(text);
  root.update(shared_parts());
  root["apiVersion"] = "string";
  root["kind"] = "string";
  root["metadata"] = "@meta";
  root_ = std::make_shared<const json>(std::move(root));
}

std::vector<std::string> Schema::unknown_fields(const json &object) const {
  std::vector<std::string> unknown;
  collect_unknown(*root_, *root_, object, "", unknown);
  return unknown;
}

FieldErrors Schema::type_errors(const json &object) const {
  FieldErrors errors;
  collect_type_errors(*root_, *root_, object, "", errors);
  return errors;
}

void use_schema(ResourceType &type, std::string_view text) {
  const Schema schema(text);
  type.unknown_fields = [schema](const json &object) { return schema.unknown_fields(object); };
  type.validate = [schema, validate = type.validate](const json &object, const json *old) {
    auto errors = schema.type_errors(object);
    return errors.empty() && validate ? validate(object, old) : errors;
  };
}

} // namespace sluice::controlplane
