#pragma once
// Kubernetes objects from and to JSON. Decoding reads the text once and builds no tree; what a type
// of kube/objects.hpp does not hold is passed over.
//
// Errors are invalid_input and name the field: "spec.ports[1].port: must be an integer, found a
// string". An enumeration value that we do not know takes the API's default (service type
// ClusterIP, traffic policy Cluster); a port with a protocol that we do not know is left out of
// Services, EndpointSlices and containers, but a NetworkPolicy with one is refused: a rule must not
// become wider than it was meant. `null` is "absent".

#include "kube/objects.hpp"
#include "net/result.hpp"

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace sluice::kube {

/// For every kind of kube/objects.hpp. `kind`, if present, must be that of Object.
template <class Object> Result<Object> decode(std::string_view json);

struct ListHead {
  std::string resourceVersion;
  std::string continue_; ///< not empty: there is another page
};
/// An item that cannot be decoded, and its text.
using Malformed = std::function<void(const Error &error, std::string_view item)>;
/// Hands over each item of a list ("PodList", "List") as it is read. An item that cannot be decoded
/// goes to `malformed`, and the rest is still read; broken JSON ends it with an error.
template <class Object>
Result<ListHead> decode_list(std::string_view json, const std::function<void(Object)> &sink,
                             const Malformed &malformed = {});

/// What every object has, read without looking at the rest.
struct ObjectHead {
  std::string name, namespace_, uid, resourceVersion;
  bool initialEventsEnd = false; ///< the bookmark that ends a WatchList's first part (KEP-3157)
};
Result<ObjectHead> decode_head(std::string_view json);

/// One line of a watch: {"type": ..., "object": ...}.
struct WatchEvent {
  std::string type;        ///< ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
  std::string_view object; ///< part of the line
};
Result<WatchEvent> decode_event(std::string_view line);

/// metav1.Status: what an ERROR event and an answer that is no 2xx hold.
struct Status {
  std::int32_t code = 0;
  std::string reason, message;
  std::int32_t retryAfterSeconds = 0; ///< details.retryAfterSeconds
  std::vector<std::string> causes;    ///< reasons of details.causes
};
Result<Status> decode_status(std::string_view json);

// To a document with apiVersion and kind; what is empty or absent is left out.
nlohmann::json to_json(const Namespace &object);
nlohmann::json to_json(const Node &object);
nlohmann::json to_json(const Pod &object);
nlohmann::json to_json(const Service &object);
nlohmann::json to_json(const ServiceAccount &object);
nlohmann::json to_json(const ConfigMap &object);
nlohmann::json to_json(const Event &object);
nlohmann::json to_json(const EndpointSlice &object);
nlohmann::json to_json(const Lease &object);
nlohmann::json to_json(const NetworkPolicy &object);
nlohmann::json to_json(const ObjectMeta &metadata);
nlohmann::json to_json(const LabelSelector &selector);

} // namespace sluice::kube
