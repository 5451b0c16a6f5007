#pragma once
// The protobuf wire format, reading only (protobuf.dev/programming-guides/encoding).

#include "net/result.hpp"

#include <optional>

namespace sluice::controlplane {

struct WireField {
  std::uint32_t number = 0;
  std::uint64_t value = 0; ///< of a varint or a fixed number
  std::string_view bytes;  ///< of a length-delimited field
  bool is_bytes = false;
};

/// Steps through the fields of one message. The text outlives it.
class WireReader {
public:
  explicit WireReader(std::string_view message) : rest_(message) {}
  /// The next field, or nothing at the end; invalid_input if the message is cut off or malformed.
  Result<std::optional<WireField>> next();

private:
  Result<std::uint64_t> varint();
  Result<std::string_view> take(std::uint64_t size);
  Result<std::uint64_t> fixed(std::uint64_t size);
  std::string_view rest_;
};

} // namespace sluice::controlplane
