#pragma once
// What the API server knows about one kind: its names, what is filled in, what is refused, what is
// shown in a table. One table of these drives routing, discovery, storage, selectors and printing;
// no other file of the API server names a kind where this table can.

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::controlplane {

using nlohmann::json;

/// One thing that is wrong with an object. `reason` is a cause type of the API: FieldValueRequired,
/// FieldValueInvalid, FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden,
/// FieldValueTooLong, FieldValueTypeInvalid. `message` is what the real server would print after
/// the field: "Invalid value: \"x\": must be ...".
struct FieldError {
  std::string reason, field, message;
  friend bool operator==(const FieldError &, const FieldError &) = default;
};
using FieldErrors = std::vector<FieldError>;

/// A column of `kubectl get`. Priority 0 is always shown, 1 with -o wide.
struct Column {
  std::string name;
  std::string type = "string", format, description;
  int priority = 0;
};

/// A path below an object that is not a stored object of its own: "status", "binding", "token".
struct Subresource {
  std::string name;
  std::string kind; ///< of the body: "Pod", "Binding", "Eviction", "TokenRequest"
  std::string group, version;
  std::vector<std::string> verbs;
};

/// How strategic merge patch treats one list.
struct ListMerge {
  enum class Strategy : std::uint8_t {
    replace,   ///< the patch's list takes the place of the old one (every list without a rule)
    merge_map, ///< elements are objects, matched by `key`
    merge_set, ///< elements are plain values; the union
  };
  Strategy strategy = Strategy::replace;
  std::string key; ///< "name", "type", "port"; only for merge_map
};

/// A label that a fieldSelector may name, besides metadata.name and metadata.namespace.
struct FieldLabel {
  std::string name; ///< "spec.nodeName"
  std::function<std::string(const json &)> value;
};

/// Where objects of a kind live.
enum class Durability : std::uint8_t {
  durable,   ///< on disk before the write is acknowledged
  coalesced, ///< in memory at once, on disk within seconds (Leases: the newest is all that counts)
  memory,    ///< never on disk, gone an hour after the last write (Events)
};

/// All functions are pure, thread-safe and never throw for an object of any shape: JSON comes from
/// clients. An empty std::function means "nothing to do" and is never called.
struct ResourceType {
  std::string group, version; ///< "" and "v1"; "discovery.k8s.io" and "v1"
  std::string kind, plural, singular;
  std::vector<std::string> shortNames, categories;
  bool namespaced = true;
  bool hasStatus = false; ///< serves .../status, and writes to one part leave the other alone
  std::vector<Subresource> subresources; ///< besides status
  Durability durability = Durability::durable;
  /// Empty: create delete deletecollection get list patch update watch.
  std::vector<std::string> verbs;

  /// Set for a kind that is only another spelling of a stored kind (events.k8s.io/v1 Event): the
  /// apiVersion and kind that are stored ("v1", "Event"), and the conversions.
  std::string storedApiVersion;
  std::function<void(json &)> to_stored, from_stored;

  /// Fills in what the client left out, in place; also run on objects that are updated.
  std::function<void(json &object)> set_defaults;
  /// What is wrong with `object`; with `old`, also what may not change. Metadata that all kinds
  /// share (names, labels, annotations, owner references) is checked by the registry.
  std::function<FieldErrors(const json &object, const json *old)> validate;
  /// Removes what a client may not set on create (status, generation and the like are reset by the
  /// registry if `hasStatus`), adds what the server sets (Namespace: spec.finalizers, phase).
  std::function<void(json &object)> prepare_for_create;
  /// Carries over from `old` what an update through the main path may not touch (beyond status).
  std::function<void(json &object, const json &old)> prepare_for_update;
  /// The same for .../status: the registry has put everything but `status`, labels and annotations
  /// back to `old` before this is called.
  std::function<void(json &object, const json &old)> prepare_for_status_update;

  /// Seconds between DELETE and removal if the request names none (Pod: its
  /// terminationGracePeriodSeconds, 0 if not bound to a node or finished). Empty: 0.
  std::function<std::int64_t(const json &object)> default_grace_seconds;
  /// Called when deletionTimestamp has just been set (Namespace: phase Terminating).
  std::function<void(json &object)> mark_deleted;
  /// More finalizers than metadata.finalizers (Namespace: spec.finalizers); true keeps the object.
  std::function<bool(const json &object)> held_by_finalizers;

  /// `kubectl get`: one cell per column, as a JSON array; `now` for ages ("5m30s").
  std::vector<Column> columns;
  std::function<json(const json &object, std::chrono::system_clock::time_point now)> cells;

  std::vector<FieldLabel> fieldLabels;
  /// `path` is dotted without list positions: "spec.containers.ports".
  std::function<ListMerge(std::string_view path)> list_merge;
  /// False: strategic merge patch answers 415.
  bool strategicPatch = true;
  /// Paths that the kind's schema does not know: "spec.bogus", "spec.ports[0].prot". For
  /// fieldValidation=Strict and Warn.
  std::function<std::vector<std::string>(const json &object)> unknown_fields;

  /// "v1", "discovery.k8s.io/v1"
  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  std::string list_kind() const { return kind + "List"; }
  /// "services", "endpointslices.discovery.k8s.io": how messages name it.
  std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
};

/// Every served kind, core group first, in the order of discovery. Built once, on first use.
const std::vector<ResourceType> &resource_types();
/// nullptr if not served.
const ResourceType *find_by_plural(std::string_view group, std::string_view version,
                                   std::string_view plural);
const ResourceType *find_by_kind(std::string_view apiVersion, std::string_view kind);

} // namespace sluice::controlplane
