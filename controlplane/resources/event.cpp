#include "controlplane/resources/access.hpp"
#include "controlplane/resources/kinds.hpp"
#include "controlplane/resources/printing.hpp"
#include "controlplane/resources/schema.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

FieldErrors validate(const json &object, const json *) {
  FieldChecker errors;
  const auto involved = text(object, "involvedObject.namespace");
  const auto own = text(object, "metadata.namespace");
  if (!involved.empty() && !own.empty() && involved != own)
    errors.invalid("involvedObject.namespace", involved, "does not match event.namespace");
  return errors.take();
}

/// The newest time that an event names.
std::string last_seen_path(const json &object) {
  for (const auto *path :
       {"series.lastObservedTime", "lastTimestamp", "firstTimestamp", "eventTime"})
    if (!is_empty(object, path))
      return path;
  return "metadata.creationTimestamp";
}

std::string lower(std::string text) {
  for (auto &c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string source_text(const json &object) {
  const auto component = text(object, "source.component", text(object, "reportingComponent"));
  const auto host = text(object, "source.host");
  return host.empty() ? component : component + ", " + host;
}

json cells(const json &object, SystemTime now) {
  const auto first =
      is_empty(object, "firstTimestamp") ? last_seen_path(object) : std::string("firstTimestamp");
  const auto about = lower(text(object, "involvedObject.kind"));
  const auto name = text(object, "involvedObject.name");
  const auto count = std::to_string(number(object, "series.count", number(object, "count", 1)));
  return json::array({age(object, last_seen_path(object), now), text(object, "type"),
                      text(object, "reason"), name.empty() ? about : about + "/" + name,
                      text(object, "involvedObject.fieldPath"), source_text(object),
                      text(object, "message"), age(object, first, now), count,
                      text(object, "metadata.name")});
}

std::vector<FieldLabel> field_labels() {
  std::vector<FieldLabel> labels;
  for (const auto *path :
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "type"})
    labels.push_back({path, [path](const json &object) { return text(object, path); }});
  labels.push_back({"source", [](const json &object) { return text(object, "source.component"); }});
  return labels;
}

ResourceType common() {
  ResourceType type;
  type.version = "v1";
  type.kind = "Event";
  type.plural = "events";
  type.singular = "event";
  type.shortNames = {"ev"};
  type.durability = Durability::memory;
  type.validate = validate;
  type.columns = {{"Last Seen"},     {"Type"},
                  {"Reason"},        {"Object"},
                  wide("Subobject"), wide("Source"),
                  {"Message"},       wide("First Seen"),
                  wide("Count"),     {"Name", "string", "name", "", 1}};
  type.cells = cells;
  type.fieldLabels = field_labels();
  type.list_merge = list_merges();
  return type;
}

/// Both spellings of one member: events.k8s.io/v1 and core/v1.
struct Renamed {
  const char *events, *core;
};
constexpr Renamed kRenamed[] = {
    {"regarding", "involvedObject"},
    {"note", "message"},
    {"deprecatedSource", "source"},
    {"deprecatedFirstTimestamp", "firstTimestamp"},
    {"deprecatedLastTimestamp", "lastTimestamp"},
    {"deprecatedCount", "count"},
    {"reportingController", "reportingComponent"},
};

void rename(json &object, const char *from, const char *to) {
  const auto member = object.find(from);
  if (member == object.end())
    return;
  json value = std::move(*member);
  object.erase(member);
  object[to] = std::move(value);
}

void to_core(json &object) {
  if (!object.is_object())
    return;
  for (const auto &name : kRenamed)
    rename(object, name.events, name.core);
  object["apiVersion"] = "v1";
}

void from_core(json &object) {
  if (!object.is_object())
    return;
  for (const auto &name : kRenamed)
    rename(object, name.core, name.events);
  object["apiVersion"] = "events.k8s.io/v1";
}

} // namespace

ResourceType event_type() {
  auto type = common();
  use_schema(type, R"({
    "involvedObject": "@objectReference", "related": "@objectReference", "reason": "string",
    "message": "string", "source": {"component": "string", "host": "string"},
    "firstTimestamp": "time", "lastTimestamp": "time", "count": "int", "type": "string",
    "eventTime": "time", "action": "string", "reportingComponent": "string",
    "reportingInstance": "string", "series": {"count": "int", "lastObservedTime": "time"}})");
  return type;
}

ResourceType events_event_type() {
  auto type = common();
  type.group = "events.k8s.io";
  type.storedApiVersion = "v1";
  type.to_stored = to_core;
  type.from_stored = from_core;
  type.verbs = {"create"}; // for recorders; who reads events reads those of v1
  use_schema(type, R"({
    "regarding": "@objectReference", "related": "@objectReference", "reason": "string",
    "note": "string", "deprecatedSource": {"component": "string", "host": "string"},
    "deprecatedFirstTimestamp": "time", "deprecatedLastTimestamp": "time", "deprecatedCount": "int",
    "type": "string", "eventTime": "time", "action": "string", "reportingController": "string",
    "reportingInstance": "string", "series": {"count": "int", "lastObservedTime": "time"}})");
  return type;
}

} // namespace sluice::controlplane
