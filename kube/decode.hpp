#pragma once
// The decoders of the single types, for codec.cpp. Each reads one JSON value into its target.

#include "kube/json_reader.hpp"
#include "kube/objects.hpp"
#include "kube/service_cidr.hpp"

namespace sluice::kube {

void decode(JsonReader &reader, ObjectMeta &into);
void decode(JsonReader &reader, LabelSelector &into);
void decode(JsonReader &reader, IntOrString &into);
void decode(JsonReader &reader, Condition &into);

/// The members of a document besides apiVersion, kind and metadata. True if `key` was read.
bool decode_member(JsonReader &reader, std::string_view key, Namespace &into);
bool decode_member(JsonReader &reader, std::string_view key, Node &into);
bool decode_member(JsonReader &reader, std::string_view key, Pod &into);
bool decode_member(JsonReader &reader, std::string_view key, Service &into);
bool decode_member(JsonReader &reader, std::string_view key, ServiceAccount &into);
bool decode_member(JsonReader &reader, std::string_view key, ConfigMap &into);
bool decode_member(JsonReader &reader, std::string_view key, Event &into);
bool decode_member(JsonReader &reader, std::string_view key, EndpointSlice &into);
bool decode_member(JsonReader &reader, std::string_view key, Lease &into);
bool decode_member(JsonReader &reader, std::string_view key, ServiceCIDR &into);
bool decode_member(JsonReader &reader, std::string_view key, NetworkPolicy &into);

/// The protocol as text; nothing if it is none that we know.
std::optional<Protocol> decode_protocol(JsonReader &reader);

/// The field `name` of each object of a list, e.g. status.podIPs[].ip.
void decode_each(JsonReader &reader, std::string_view name, std::vector<std::string> &into);

/// A list of ports; those with `known` false afterwards are left out.
template <class Port, class Member>
void decode_ports(JsonReader &reader, std::vector<Port> &into, Member member) {
  reader.array([&] {
    Port port;
    bool known = true;
    reader.object([&](std::string_view key) { return member(key, port, known); });
    if (known)
      into.push_back(std::move(port));
  });
}

} // namespace sluice::kube
