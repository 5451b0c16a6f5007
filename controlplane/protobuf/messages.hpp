#pragma once
// Field numbers of the Kubernetes messages that clients send as protobuf, as data.
// Source: generated.proto of k8s.io/api and k8s.io/apimachinery (v1.32).

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::controlplane {

enum class WireKind : std::uint8_t {
  text,
  bytes, ///< base64 in JSON
  integer,
  boolean,
  time,       ///< {1: seconds}
  micro_time, ///< {1: seconds, 2: nanoseconds}
  int_or_string,
  message,
  text_map,
  bytes_map,
};

/// How often a field may be there, and what its zero value means.
enum class Occurs : std::uint8_t {
  once,     ///< the zero value is as good as absent
  optional, ///< a pointer in Go: the zero value is a value
  many,
};

struct MessageField {
  std::uint32_t number;
  std::string_view name;
  WireKind kind;
  Occurs occurs = Occurs::once;
  std::span<const MessageField> message = {};
};

struct MessageType {
  std::string_view apiVersion, kind; ///< apiVersion empty: any
  std::span<const MessageField> fields;
};

std::span<const MessageType> message_types() noexcept;

} // namespace sluice::controlplane
