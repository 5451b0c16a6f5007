#include "controlplane/registry/metadata.hpp"

#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>
#include <sys/random.h>

namespace sluice::controlplane {
namespace {

constexpr std::size_t kAnnotationLimitBytes = 256U << 10;

ApiError cannot_be_handled(const ResourceType &type, const std::string &why) {
  return bad_request(type.kind + " in version \"" + type.version + "\" cannot be handled as a " +
                     type.kind + ": " + why);
}

bool is_string_map(const json &value) {
  return value.is_object() && std::all_of(value.begin(), value.end(),
                                          [](const json &entry) { return entry.is_string(); });
}

bool is_string_list(const json &value) {
  return value.is_array() && std::all_of(value.begin(), value.end(),
                                         [](const json &entry) { return entry.is_string(); });
}

bool is_object_list(const json &value) {
  return value.is_array() && std::all_of(value.begin(), value.end(),
                                         [](const json &entry) { return entry.is_object(); });
}

struct Shape {
  const char *field, *expected;
  bool (*fits)(const json &value);
};

const Shape kShapes[] = {
    {"name", "string", [](const json &value) { return value.is_string(); }},
    {"generateName", "string", [](const json &value) { return value.is_string(); }},
    {"namespace", "string", [](const json &value) { return value.is_string(); }},
    {"uid", "string", [](const json &value) { return value.is_string(); }},
    {"resourceVersion", "string", [](const json &value) { return value.is_string(); }},
    {"labels", "map[string]string", is_string_map},
    {"annotations", "map[string]string", is_string_map},
    {"finalizers", "[]string", is_string_list},
    {"ownerReferences", "[]OwnerReference", is_object_list},
};

/// Drops nulls: in metadata, null and absent are the same.
void drop_nulls(json &metadata) {
  for (auto entry = metadata.begin(); entry != metadata.end();)
    entry = entry->is_null() ? metadata.erase(entry) : std::next(entry);
}

void check_name(const json &object, FieldChecker &errors) {
  const auto name = text(object, "metadata.name");
  if (name.empty())
    errors.required("metadata.name", "name or generateName is required");
  else
    errors.check("metadata.name", name, dns_subdomain_problem(name));
}

void check_labels(const json &object, FieldChecker &errors) {
  for (const auto &[key, value] : map(object, "metadata.labels").items()) {
    errors.check("metadata.labels", key, qualified_name_problem(key));
    errors.check("metadata.labels", value, label_value_problem(value.get<std::string>()));
  }
}

void check_annotations(const json &object, FieldChecker &errors) {
  std::size_t total = 0;
  for (const auto &[key, value] : map(object, "metadata.annotations").items()) {
    errors.check("metadata.annotations", key, qualified_name_problem(key));
    total += key.size() + value.get_ref<const std::string &>().size();
  }
  if (total > kAnnotationLimitBytes)
    errors.too_long("metadata.annotations", kAnnotationLimitBytes);
}

void check_owners(const json &object, FieldChecker &errors) {
  std::size_t index = 0;
  for (const auto &owner : list(object, "metadata.ownerReferences")) {
    const auto field = indexed("metadata.ownerReferences", index++);
    for (const char *part : {"apiVersion", "kind", "name", "uid"})
      if (text(owner, part).empty())
        errors.required(field + "." + part, "must not be empty");
  }
}

void check_finalizers(const json &object, const json *old, FieldChecker &errors) {
  std::size_t index = 0;
  const bool deleting = old && !is_empty(*old, "metadata.deletionTimestamp");
  const auto before = old ? texts(*old, "metadata.finalizers") : std::vector<std::string>();
  for (const auto &finalizer : texts(object, "metadata.finalizers")) {
    errors.check(indexed("metadata.finalizers", index++), finalizer,
                 qualified_name_problem(finalizer));
    if (deleting && std::find(before.begin(), before.end(), finalizer) == before.end())
      errors.forbidden("metadata.finalizers",
                       "no new finalizers can be added if the object is being deleted, found new "
                       "finalizers []string{\"" +
                           finalizer + "\"}");
  }
}

/// The fields that only the server sets.
constexpr const char *kServerFields[] = {
    "uid",        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "generation", "resourceVersion",   "selfLink",          "managedFields"};

void random_bytes(void *buffer, std::size_t size) {
  // Cannot fail for up to 256 bytes once the kernel's pool is initialised; getrandom(2).
  while (::getrandom(buffer, size, 0) != static_cast<ssize_t>(size)) {
  }
}

} // namespace

ApiResult<> check_shape(const ResourceType &type, json &object) {
  if (!object.is_object())
    return refuse(cannot_be_handled(type, "json: cannot unmarshal " +
                                              std::string(object.type_name()) +
                                              " into Go value of type v1." + type.kind));
  set_default_text(object, "kind", type.kind);
  set_default_text(object, "apiVersion", type.api_version());
  if (object["kind"] != type.kind || object["apiVersion"] != type.api_version())
    return refuse(bad_request("the API version in the data (" + text(object, "apiVersion") + ", " +
                              text(object, "kind") + ") does not match the expected API version (" +
                              type.api_version() + ", " + type.kind + ")"));
  json *metadata = object_at(object, "metadata");
  if (!metadata)
    return refuse(cannot_be_handled(type, "json: cannot unmarshal into Go struct field " +
                                              type.kind + ".metadata of type v1.ObjectMeta"));
  drop_nulls(*metadata);
  for (const auto &shape : kShapes) {
    const auto value = metadata->find(shape.field);
    if (value != metadata->end() && !shape.fits(*value))
      return refuse(cannot_be_handled(type, std::string("json: cannot unmarshal ") +
                                                value->type_name() +
                                                " into Go struct field ObjectMeta.metadata." +
                                                shape.field + " of type " + shape.expected));
  }
  return {};
}

FieldErrors validate_metadata(const ResourceType &type, const json &object, const json *old) {
  FieldChecker errors;
  check_name(object, errors);
  if (type.namespaced && text(object, "metadata.namespace").empty())
    errors.required("metadata.namespace");
  check_labels(object, errors);
  check_annotations(object, errors);
  check_owners(object, errors);
  check_finalizers(object, old, errors);
  return errors.take();
}

void stamp_new(json &object, std::chrono::system_clock::time_point now) {
  json &metadata = object["metadata"];
  for (const char *field : kServerFields)
    metadata.erase(field);
  metadata["uid"] = new_uid();
  metadata["creationTimestamp"] = format_time(now);
}

void carry_over(json &object, const json &old) {
  json &metadata = object["metadata"];
  const json &before = map(old, "metadata");
  for (const char *field : kServerFields) {
    const auto value = before.find(field);
    if (value == before.end())
      metadata.erase(field);
    else
      metadata[field] = *value;
  }
}

void bump_generation(json &object, const json &old) {
  const auto generation = number(old, "metadata.generation");
  if (generation == 0)
    return;
  json now = object, before = old;
  for (const char *part : {"metadata", "status"}) {
    now.erase(part);
    before.erase(part);
  }
  if (now != before)
    object["metadata"]["generation"] = generation + 1;
}

Labels labels_of(const json &object) {
  Labels labels;
  for (const auto &[key, value] : map(object, "metadata.labels").items())
    if (value.is_string())
      labels.emplace(key, value.get<std::string>());
  return labels;
}

bool has_finalizers(const json &object) { return !is_empty(object, "metadata.finalizers"); }

std::string new_uid() {
  std::array<unsigned char, 16> bytes{};
  random_bytes(bytes.data(), bytes.size());
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string uid;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      uid += '-';
    uid += digits[bytes[i] >> 4];
    uid += digits[bytes[i] & 15];
  }
  return uid;
}

std::string random_suffix() {
  // No vowels and no digits that look like letters: no words by accident.
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::array<unsigned char, 5> bytes{};
  random_bytes(bytes.data(), bytes.size());
  std::string suffix;
  for (const auto byte : bytes)
    suffix += alphabet[byte % alphabet.size()];
  return suffix;
}

} // namespace sluice::controlplane
