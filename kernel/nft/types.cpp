#include "kernel/nft/types.hpp"

#include "net/hash.hpp"

#include <cstring>

namespace sluice::kernel::nft {
namespace {

constexpr std::size_t padded(std::size_t bytes) noexcept { return (bytes + 3) & ~std::size_t{3}; }

std::size_t padded_size(const std::vector<Type> &fields) noexcept {
  std::size_t bytes = 0;
  for (const auto type : fields)
    bytes += padded(size_of(type));
  return bytes;
}

} // namespace

std::string_view name_of(TableFamily family) noexcept {
  switch (family) {
  case TableFamily::inet:
    return "inet";
  case TableFamily::ipv4:
    return "ip";
  case TableFamily::bridge:
    return "bridge";
  case TableFamily::ipv6:
    return "ip6";
  }
  return "unknown";
}

std::string TableId::str() const { return std::string(name_of(family)) + " " + name; }

Value &Value::put(std::span<const std::uint8_t> field) noexcept {
  const auto fits = std::min(field.size(), kCapacity - size_);
  if (fits > 0)
    std::memcpy(bytes_.data() + size_, field.data(), fits);
  size_ = static_cast<std::uint8_t>(std::min(kCapacity, size_ + padded(fits)));
  return *this;
}

Value &Value::put(Protocol protocol) noexcept {
  return put_u8(static_cast<std::uint8_t>(protocol));
}

Value &Value::put(Port port) noexcept { return put(field(port).bytes()); }

Value &Value::put_u32(std::uint32_t number) noexcept {
  std::uint8_t bytes[4];
  std::memcpy(bytes, &number, sizeof bytes);
  return put(bytes);
}

Value &Value::put_u8(std::uint8_t number) noexcept { return put(std::span(&number, 1)); }

Value &Value::put_name(std::string_view name) noexcept {
  std::uint8_t bytes[16] = {};
  std::memcpy(bytes, name.data(), std::min<std::size_t>(name.size(), sizeof bytes - 1));
  return put(bytes);
}

Value &Value::truncate(std::size_t size) noexcept {
  for (; size_ > size; --size_)
    bytes_[size_ - 1U] = 0;
  return *this;
}

std::uint32_t Value::u32_at(std::size_t offset) const noexcept {
  std::uint32_t number = 0;
  if (offset + sizeof number <= kCapacity)
    std::memcpy(&number, bytes_.data() + offset, sizeof number);
  return number;
}

std::uint16_t Value::be16_at(std::size_t offset) const noexcept {
  if (offset + 2 > kCapacity)
    return 0;
  return static_cast<std::uint16_t>(bytes_[offset] << 8 | bytes_[offset + 1]);
}

std::string Value::str() const {
  std::string text;
  for (std::size_t i = 0; i < size_; ++i) {
    if (i > 0 && i % 4 == 0)
      text += ' ';
    text += hex(bytes_[i], 2);
  }
  return text;
}

Value field(std::span<const std::uint8_t> bytes) noexcept {
  return Value(bytes).truncate(bytes.size());
}

Value field(const IpAddress &ip) noexcept { return field(ip.bytes()); }

Value field(Protocol protocol) noexcept {
  const auto number = static_cast<std::uint8_t>(protocol);
  return field(std::span(&number, 1));
}

Value field(Port port) noexcept {
  const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(port.value >> 8),
                                 static_cast<std::uint8_t>(port.value & 0xff)};
  return field(bytes);
}

Value field_u32(std::uint32_t host_order) noexcept { return Value().put_u32(host_order); }

Value field_name(std::string_view name) noexcept {
  if (name.empty() || name.back() != '*')
    return Value().put_name(name);
  name.remove_suffix(1);
  return field(std::span(reinterpret_cast<const std::uint8_t *>(name.data()), name.size()));
}

std::string_view name_of(Hook hook) noexcept {
  switch (hook) {
  case Hook::prerouting:
    return "prerouting";
  case Hook::input:
    return "input";
  case Hook::forward:
    return "forward";
  case Hook::output:
    return "output";
  case Hook::postrouting:
    return "postrouting";
  }
  return "unknown";
}

std::string_view name_of(ChainType type) noexcept {
  switch (type) {
  case ChainType::filter:
    return "filter";
  case ChainType::nat:
    return "nat";
  case ChainType::route:
    return "route";
  }
  return "unknown";
}

std::string Verdict::str() const {
  switch (code) {
  case VerdictCode::accept:
    return "accept";
  case VerdictCode::drop:
    return "drop";
  case VerdictCode::jump:
    return "jump " + chain;
  case VerdictCode::go_to:
    return "goto " + chain;
  case VerdictCode::return_:
    return "return";
  case VerdictCode::continue_:
    return "continue";
  }
  return "unknown";
}

std::string_view name_of(Type type) noexcept {
  switch (type) {
  case Type::ipv4_addr:
    return "ipv4_addr";
  case Type::ipv6_addr:
    return "ipv6_addr";
  case Type::ether_addr:
    return "ether_addr";
  case Type::inet_proto:
    return "inet_proto";
  case Type::inet_service:
    return "inet_service";
  case Type::mark:
    return "mark";
  case Type::ifname:
    return "ifname";
  }
  return "unknown";
}

std::size_t size_of(Type type) noexcept {
  switch (type) {
  case Type::ipv4_addr:
  case Type::mark:
    return 4;
  case Type::ipv6_addr:
  case Type::ifname:
    return 16;
  case Type::ether_addr:
    return 6;
  case Type::inet_proto:
    return 1;
  case Type::inet_service:
    return 2;
  }
  return 0;
}

std::size_t Set::key_bytes() const noexcept {
  return key.size() == 1 ? size_of(key.front()) : padded_size(key);
}

std::size_t Set::data_bytes() const noexcept {
  return data.size() == 1 ? size_of(data.front()) : padded_size(data);
}

std::vector<Element> interval_of(const Cidr &cidr) {
  std::vector<Element> ends{Element{.key = field(cidr.first())}};
  const auto behind = cidr.last().advanced(1);
  if (!behind.is_unspecified()) // else the range reaches to the end of the address space
    ends.push_back(Element{.key = field(behind), .interval_end = true});
  return ends;
}

} // namespace sluice::kernel::nft
