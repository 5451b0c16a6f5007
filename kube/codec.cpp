#include "kube/codec.hpp"

#include "kube/decode.hpp"
#include "kube/service_cidr.hpp"

namespace sluice::kube {
namespace {

/// {apiVersion, kind, metadata, ...}; `kind` must be that of Object if it is there.
template <class Object> void decode_document(JsonReader &reader, Object &into) {
  reader.object([&](std::string_view key) {
    if (key == "kind") {
      const JsonReader::Mark mark = reader.mark();
      std::string kind;
      reader.value(kind);
      if (!reader.failed() && !kind.empty() && kind != rest_of<Object>().kind)
        reader.refuse(mark, "\"" + std::string(rest_of<Object>().kind) + "\"");
      return true;
    }
    return reader.read(key, "metadata", into.metadata) || decode_member(reader, key, into);
  });
}

tl::unexpected<Error> failure(const JsonReader &reader, std::string_view what) {
  return fail(Error(*reader.error()).in("decode " + std::string(what)));
}

template <class Object>
void decode_items(JsonReader &reader, const std::function<void(Object)> &sink,
                  const Malformed &malformed) {
  reader.array([&] {
    const JsonReader::Mark mark = reader.mark();
    Object object;
    decode_document(reader, object);
    if (!reader.failed())
      return sink(std::move(object));
    const Error error = *reader.error();
    if (const std::string_view item = reader.recover(mark); !item.empty() && malformed)
      malformed(error, item);
  });
}

} // namespace

template <class Object> Result<Object> decode(std::string_view json) {
  JsonReader reader(json);
  Object object;
  decode_document(reader, object);
  reader.end();
  if (reader.failed())
    return failure(reader, rest_of<Object>().kind);
  return object;
}

template <class Object>
Result<ListHead> decode_list(std::string_view json, const std::function<void(Object)> &sink,
                             const Malformed &malformed) {
  JsonReader reader(json);
  ListHead head;
  reader.object([&](std::string_view key) {
    if (key == "items") {
      decode_items(reader, sink, malformed);
      return true;
    }
    return reader.inside(key, "metadata", [&](std::string_view meta) {
      return reader.read(meta, "resourceVersion", head.resourceVersion) ||
             reader.read(meta, "continue", head.continue_);
    });
  });
  reader.end();
  if (reader.failed())
    return failure(reader, "a list of " + std::string(rest_of<Object>().plural));
  return head;
}

#define SLUICE_CODEC(Object)                                                                       \
  template Result<Object> decode<Object>(std::string_view);                                        \
  template Result<ListHead> decode_list<Object>(                                                   \
      std::string_view, const std::function<void(Object)> &, const Malformed &);
SLUICE_CODEC(Namespace)
SLUICE_CODEC(Node)
SLUICE_CODEC(Pod)
SLUICE_CODEC(Service)
SLUICE_CODEC(ServiceAccount)
SLUICE_CODEC(ConfigMap)
SLUICE_CODEC(Event)
SLUICE_CODEC(EndpointSlice)
SLUICE_CODEC(Lease)
SLUICE_CODEC(NetworkPolicy)
SLUICE_CODEC(ServiceCIDR)
#undef SLUICE_CODEC

Result<ObjectHead> decode_head(std::string_view json) {
  JsonReader reader(json);
  ObjectHead head;
  reader.object([&](std::string_view key) {
    return reader.inside(key, "metadata", [&](std::string_view meta) {
      return reader.read(meta, "name", head.name) ||
             reader.read(meta, "namespace", head.namespace_) ||
             reader.read(meta, "uid", head.uid) ||
             reader.read(meta, "resourceVersion", head.resourceVersion) ||
             reader.inside(meta, "annotations", [&](std::string_view annotation) {
               std::string value;
               if (!reader.read(annotation, "k8s.io/initial-events-end", value))
                 return false;
               head.initialEventsEnd = value == "true";
               return true;
             });
    });
  });
  reader.end();
  if (reader.failed())
    return failure(reader, "an object");
  return head;
}

Result<WatchEvent> decode_event(std::string_view line) {
  JsonReader reader(line);
  WatchEvent event;
  reader.object([&](std::string_view key) {
    if (key == "object") {
      event.object = reader.skip();
      return true;
    }
    return reader.read(key, "type", event.type);
  });
  reader.end();
  if (reader.failed())
    return failure(reader, "a watch event");
  if (event.type.empty() || event.object.empty())
    return fail(Errc::invalid_input, "decode a watch event: type or object is missing");
  return event;
}

Result<Status> decode_status(std::string_view json) {
  JsonReader reader(json);
  Status status;
  reader.object([&](std::string_view key) {
    return reader.read(key, "code", status.code) || reader.read(key, "reason", status.reason) ||
           reader.read(key, "message", status.message) ||
           reader.inside(key, "details", [&](std::string_view detail) {
             if (detail == "causes") {
               decode_each(reader, "reason", status.causes);
               return true;
             }
             return reader.read(detail, "retryAfterSeconds", status.retryAfterSeconds);
           });
  });
  reader.end();
  if (reader.failed())
    return failure(reader, "a Status");
  return status;
}

} // namespace sluice::kube
