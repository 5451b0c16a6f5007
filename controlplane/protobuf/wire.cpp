#include "controlplane/protobuf/wire.hpp"

namespace sluice::controlplane {
namespace {

enum WireType : std::uint8_t { varint_type = 0, fixed64 = 1, delimited = 2, fixed32 = 5 };

} // namespace

Result<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty())
      return fail(Errc::invalid_input, "a number is cut off");
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0)
      return value;
  }
  return fail(Errc::invalid_input, "a number is longer than 64 bits");
}

Result<std::string_view> WireReader::take(std::uint64_t size) {
  if (size > rest_.size())
    return fail(Errc::invalid_input, "a field of " + std::to_string(size) +
                                         " bytes is cut off after " + std::to_string(rest_.size()));
  const auto bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

Result<std::uint64_t> WireReader::fixed(std::uint64_t size) {
  const auto bytes = take(size);
  if (!bytes)
    return fail(bytes.error());
  std::uint64_t value = 0;
  for (auto byte = bytes->rbegin(); byte != bytes->rend(); ++byte)
    value = value << 8 | static_cast<std::uint8_t>(*byte);
  return value;
}

Result<std::optional<WireField>> WireReader::next() {
  if (rest_.empty())
    return std::nullopt;
  SLUICE_ASSIGN(const auto tag, varint(), "field tag");
  WireField field;
  field.number = static_cast<std::uint32_t>(tag >> 3);
  const auto where = "field " + std::to_string(field.number);
  switch (tag & 7U) {
  case varint_type: {
    SLUICE_ASSIGN(field.value, varint(), where);
    return field;
  }
  case fixed64: {
    SLUICE_ASSIGN(field.value, fixed(8), where);
    return field;
  }
  case fixed32: {
    SLUICE_ASSIGN(field.value, fixed(4), where);
    return field;
  }
  case delimited: {
    SLUICE_ASSIGN(const auto size, varint(), where);
    SLUICE_ASSIGN(field.bytes, take(size), where);
    field.is_bytes = true;
    return field;
  }
  default:
    return fail(Errc::invalid_input, where + ": unknown wire type " + std::to_string(tag & 7U));
  }
}

} // namespace sluice::controlplane
