#pragma once
// What an nf_tables table is made of, as values: names, chains, sets, elements. The words are those
// of nft(8); numbers that the kernel fixes are those of uapi/linux/netfilter/nf_tables.h.

#include "net/ip_address.hpp"
#include "net/port.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::kernel::nft {

/// NFPROTO_*: what packets a table sees.
enum class TableFamily : std::uint8_t { inet = 1, ipv4 = 2, bridge = 7, ipv6 = 10 };
/// "inet", "ip", "bridge", "ip6".
std::string_view name_of(TableFamily family) noexcept;
constexpr TableFamily table_family(Family family) noexcept {
  return family == Family::ipv4 ? TableFamily::ipv4 : TableFamily::ipv6;
}

/// Names a table.
struct TableId {
  TableFamily family = TableFamily::inet;
  std::string name;
  /// "ip sluice-proxy"
  std::string str() const;
  friend auto operator<=>(const TableId &, const TableId &) = default;
};

/// At most 64 bytes (NFT_DATA_VALUE_MAXLEN): a key, the data of a map element, what a register is
/// compared with. A key or data of several fields is their concatenation, each padded with zeros to
/// 4 bytes, as in registers.
class Value {
public:
  static constexpr std::size_t kCapacity = 64;
  constexpr Value() noexcept = default;
  /// Longer than 64 bytes is a programming error (cut).
  explicit Value(std::span<const std::uint8_t> bytes) noexcept { put(bytes); }

  /// Appends one field, padded to 4 bytes.
  Value &put(std::span<const std::uint8_t> field) noexcept;
  Value &put(const IpAddress &ip) noexcept { return put(ip.bytes()); }
  Value &put(Protocol protocol) noexcept;        ///< type inet_proto
  Value &put(Port port) noexcept;                ///< type inet_service: network order
  Value &put_u32(std::uint32_t number) noexcept; ///< host order: type mark, or any own number
  Value &put_u8(std::uint8_t number) noexcept;
  /// An interface name, 16 bytes with zeros at the end (type ifname).
  Value &put_name(std::string_view name) noexcept;

  std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), size_}; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Cuts the padding (or more) off: a lone field of fewer than 4 bytes is as long as its type.
  Value &truncate(std::size_t size) noexcept;
  /// The host-order number at byte `offset` (a multiple of 4 inside size()).
  std::uint32_t u32_at(std::size_t offset) const noexcept;
  /// The network-order 16-bit number at byte `offset`.
  std::uint16_t be16_at(std::size_t offset) const noexcept;
  /// "0a000001 00000006 00500000": 32-bit words as they lie in memory.
  std::string str() const;
  friend auto operator<=>(const Value &, const Value &) = default;

private:
  std::uint8_t size_ = 0;
  std::array<std::uint8_t, kCapacity> bytes_{}; // zero beyond size_
};

/// One field without padding, for comparisons shorter than 4 bytes (`cmp` on a port).
Value field(std::span<const std::uint8_t> bytes) noexcept;
Value field(const IpAddress &ip) noexcept;
Value field(Protocol protocol) noexcept;
Value field(Port port) noexcept;
Value field_u32(std::uint32_t host_order) noexcept;
/// `name` as an interface name of 16 bytes; "veth*" gives the 4 bytes of the prefix.
Value field_name(std::string_view name) noexcept;

// ---- chains ------------------------------------------------------------------------------------

enum class Hook : std::uint8_t { prerouting, input, forward, output, postrouting }; // NF_INET_*
enum class ChainType : std::uint8_t { filter, nat, route };
std::string_view name_of(Hook hook) noexcept;
std::string_view name_of(ChainType type) noexcept;

/// Priorities by name, linux/netfilter_ipv4.h.
inline constexpr int kPriorityRaw = -300, kPriorityMangle = -150, kPriorityDstnat = -100,
                     kPriorityFilter = 0, kPrioritySecurity = 50, kPrioritySrcnat = 100;

struct BaseChain {
  ChainType type = ChainType::filter;
  Hook hook = Hook::forward;
  int priority = kPriorityFilter;
  bool drop_by_default = false; ///< policy drop
  friend bool operator==(const BaseChain &, const BaseChain &) = default;
};

struct Chain {
  std::string name;
  std::optional<BaseChain> base; ///< none: reached by jump and goto only
  friend bool operator==(const Chain &, const Chain &) = default;
};

enum class VerdictCode : std::uint8_t { accept, drop, jump, go_to, return_, continue_ };
struct Verdict {
  VerdictCode code = VerdictCode::accept;
  std::string chain; ///< jump and go_to only
  /// "accept", "goto services"
  std::string str() const;
  friend auto operator<=>(const Verdict &, const Verdict &) = default;
};

// ---- sets and maps -----------------------------------------------------------------------------

/// Data types by nft's numbers (nftables include/datatype.h), so that `nft list` prints them well.
/// `mark` is the type for numbers of our own: 32 bits in host order.
enum class Type : std::uint8_t {
  ipv4_addr = 7,
  ipv6_addr = 8,
  ether_addr = 9,
  inet_proto = 12,
  inet_service = 13,
  mark = 19,
  ifname = 41,
};
std::string_view name_of(Type type) noexcept;
/// Bytes of a field before padding.
std::size_t size_of(Type type) noexcept;

/// A set; with `data` or `verdicts` it is a map.
struct Set {
  std::string name;
  std::vector<Type> key;       ///< 1 to 5 fields
  std::vector<Type> data = {}; ///< fields of the data, for a data map
  bool verdicts = false;       ///< a verdict map
  std::uint32_t size = 0; ///< most elements; 0: no limit (dynamic: 65535). Given, a load costs half
  bool dynamic = false;   ///< rules add elements (dynset)
  bool timeouts = false;  ///< elements may have timeouts
  bool constant = false;  ///< no change once a rule uses it
  bool interval = false;  ///< ranges; one key field only, dear to change
  std::chrono::milliseconds default_timeout{0};
  std::chrono::milliseconds gc_interval{0};
  bool is_map() const noexcept { return verdicts || !data.empty(); }
  std::size_t key_bytes() const noexcept;  ///< of the padded key
  std::size_t data_bytes() const noexcept; ///< of the padded data; 0 for sets and verdict maps
  friend bool operator==(const Set &, const Set &) = default;
};

struct Element {
  Value key;
  Value data = {};                      ///< data maps
  std::optional<Verdict> verdict = {};  ///< verdict maps
  std::chrono::milliseconds timeout{0}; ///< 0: the set's default
  bool interval_end = false;            ///< interval sets: the first key behind the range
  std::string comment = {};             ///< at most 128 bytes
  friend bool operator==(const Element &, const Element &) = default;
};

/// The two elements that say "all of `cidr`" in an interval set.
std::vector<Element> interval_of(const Cidr &cidr);

} // namespace sluice::kernel::nft
