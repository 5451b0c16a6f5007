#include "controlplane/protobuf/decode.hpp"

#include "controlplane/protobuf/messages.hpp"
#include "controlplane/protobuf/wire.hpp"
#include "controlplane/resources/printing.hpp"
#include "net/base64.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using Fields = std::span<const MessageField>;

constexpr std::string_view kMagic("k8s\0", 4);
/// The deepest message that is read, objects in objects; ours need five.
constexpr int kMaxDepth = 16;

constexpr MessageField kTypeMeta[] = {
    {1, "apiVersion", WireKind::text},
    {2, "kind", WireKind::text},
};
constexpr MessageField kTextEntry[] = {{1, "key", WireKind::text}, {2, "value", WireKind::text}};
constexpr MessageField kBytesEntry[] = {{1, "key", WireKind::text}, {2, "value", WireKind::bytes}};
constexpr MessageField kTimestamp[] = {
    {1, "seconds", WireKind::integer},
    {2, "nanos", WireKind::integer},
};
constexpr MessageField kIntOrString[] = {
    {1, "type", WireKind::integer},
    {2, "intVal", WireKind::integer},
    {3, "strVal", WireKind::text},
};

Result<json> decode_message(Fields fields, std::string_view bytes, int depth);

/// No field at all is the zero time: absent.
Result<json> decode_time(std::string_view bytes, bool micro, int depth) {
  auto parts = decode_message(kTimestamp, bytes, depth);
  if (!parts || parts->empty())
    return parts ? json() : std::move(parts);
  const auto seconds = parts->value("seconds", std::int64_t{0});
  const auto nanos = parts->value("nanos", std::int64_t{0});
  constexpr std::int64_t kLastSecond = 253402300799; // the year 9999
  if (seconds < 0 || seconds > kLastSecond || nanos < 0 || nanos >= 1000000000)
    return fail(Errc::invalid_input, "a time is out of range");
  const auto time =
      SystemTime(std::chrono::seconds(seconds)) + std::chrono::microseconds(nanos / 1000);
  return json(micro ? format_micro_time(time) : format_time(time));
}

Result<json> decode_int_or_string(std::string_view bytes, int depth) {
  auto parts = decode_message(kIntOrString, bytes, depth);
  if (!parts)
    return parts;
  if (parts->value("type", 0) == 1)
    return json(parts->value("strVal", std::string()));
  return json(parts->value("intVal", 0));
}

Result<json> decode_value(const MessageField &field, const WireField &wire, int depth) {
  const bool number = field.kind == WireKind::integer || field.kind == WireKind::boolean;
  if (number == wire.is_bytes)
    return fail(Errc::invalid_input, "has the wrong wire type");
  switch (field.kind) {
  case WireKind::integer:
    return json(static_cast<std::int64_t>(wire.value));
  case WireKind::boolean:
    return json(wire.value != 0);
  case WireKind::text:
    return json(std::string(wire.bytes));
  case WireKind::bytes:
    return json(base64_encode(wire.bytes));
  case WireKind::time:
  case WireKind::micro_time:
    return decode_time(wire.bytes, field.kind == WireKind::micro_time, depth);
  case WireKind::int_or_string:
    return decode_int_or_string(wire.bytes, depth);
  case WireKind::message:
    return decode_message(field.message, wire.bytes, depth);
  case WireKind::text_map:
    return decode_message(kTextEntry, wire.bytes, depth);
  case WireKind::bytes_map:
    return decode_message(kBytesEntry, wire.bytes, depth);
  }
  return fail(Errc::invalid_input, "has no decoder");
}

bool is_zero(const json &value) {
  return value.is_null() || value == json("") || value == json(0) || value == json(false);
}

void store(const MessageField &field, json value, json &object) {
  const std::string name(field.name);
  if (field.kind == WireKind::text_map || field.kind == WireKind::bytes_map)
    object[name][value.value("key", std::string())] = value.value("value", std::string());
  else if (field.occurs == Occurs::many)
    object[name].push_back(std::move(value));
  else if (value.is_null() || (field.occurs == Occurs::once && is_zero(value)))
    object.erase(name);
  else
    object[name] = std::move(value);
}

Result<json> decode_message(Fields fields, std::string_view bytes, int depth) {
  json object = json::object();
  if (depth == kMaxDepth)
    return fail(Errc::invalid_input, "messages are nested too deeply");
  WireReader reader(bytes);
  while (true) {
    auto wire = reader.next();
    if (!wire)
      return fail(wire.error());
    if (!*wire)
      return object;
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const MessageField &known) {
      return known.number == (*wire)->number;
    });
    if (field == fields.end())
      continue; // newer clients may know more
    SLUICE_ASSIGN(auto value, decode_value(*field, **wire, depth + 1), field->name);
    store(*field, std::move(value), object);
  }
}

struct Envelope {
  std::string apiVersion, kind;
  std::string_view raw;
};

Result<Envelope> open_envelope(std::string_view body) {
  if (body.substr(0, kMagic.size()) != kMagic)
    return fail(Errc::invalid_input, "does not begin with the prefix of Kubernetes protobuf");
  Envelope envelope;
  WireReader reader(body.substr(kMagic.size()));
  while (true) {
    auto field = reader.next();
    if (!field)
      return fail(field.error());
    if (!*field)
      return envelope;
    if ((*field)->number == 2)
      envelope.raw = (*field)->bytes;
    if ((*field)->number != 1)
      continue;
    SLUICE_ASSIGN(const auto meta, decode_message(kTypeMeta, (*field)->bytes, 0), "type");
    envelope.apiVersion = meta.value("apiVersion", std::string());
    envelope.kind = meta.value("kind", std::string());
  }
}

const MessageType *find_type(const Envelope &envelope) {
  for (const auto &type : message_types())
    if (type.kind == envelope.kind &&
        (type.apiVersion.empty() || type.apiVersion == envelope.apiVersion))
      return &type;
  return nullptr;
}

} // namespace

Result<json> decode_protobuf(std::string_view body) {
  SLUICE_ASSIGN(const auto envelope, open_envelope(body), "protobuf body");
  const auto *type = find_type(envelope);
  const auto name = envelope.apiVersion + " " + envelope.kind;
  if (type == nullptr)
    return fail(Errc::unsupported, "protobuf is not read for \"" + name + "\"; send JSON");
  SLUICE_ASSIGN(auto document, decode_message(type->fields, envelope.raw, 0),
                "protobuf body of \"" + name + "\"");
  document["apiVersion"] = envelope.apiVersion;
  document["kind"] = envelope.kind;
  return document;
}

} // namespace sluice::controlplane
