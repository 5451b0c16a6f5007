#pragma once
// The instructions of the kernel's nf_tables machine, with explicit registers. A rule is a list of
// them; each either loads a register, or ends the rule when it does not match.
//
// Registers are the 32-bit ones, numbered 0 to 15; a value of n bytes takes ceil(n/4) in a row.
// Kernels from 6.10 on refuse a rule that reads a register which the same rule has not written.

#include "kernel/nft/types.hpp"

#include <variant>

namespace sluice::kernel::nft {

using Reg = std::uint8_t; ///< 0..15

enum class PayloadBase : std::uint8_t { link = 0, network = 1, transport = 2 };
struct Payload {
  PayloadBase base;
  std::uint32_t offset_bytes, length_bytes;
  Reg dreg;
};

/// NFT_META_*
enum class MetaKey : std::uint8_t {
  mark = 3,
  iif = 4,
  oif = 5,
  iifname = 6,
  oifname = 7,
  nfproto = 15,
  l4proto = 16,
};
struct Meta {
  MetaKey key;
  Reg dreg;
};
struct MetaSet {
  MetaKey key;
  Reg sreg;
};

/// NFT_CT_*; the addresses and ports are of the original direction.
enum class CtKey : std::uint8_t {
  state = 0,
  direction = 1,
  status = 2,
  mark = 3,
  src = 8,
  dst = 9,
  protocol = 10,
  proto_src = 11,
  proto_dst = 12,
  src_ip = 19,
  dst_ip = 20,
  src_ip6 = 21,
  dst_ip6 = 22,
};
struct Ct {
  CtKey key;
  Reg dreg;
  bool original_direction = false; ///< needed by src, dst, proto_src, proto_dst, *_ip, *_ip6
};
struct CtSet {
  CtKey key;
  Reg sreg;
};
/// Bits of `ct state` and `ct status`.
inline constexpr std::uint32_t kCtInvalid = 1, kCtEstablished = 2, kCtRelated = 4, kCtNew = 8,
                               kCtStatusSnat = 0x10, kCtStatusDnat = 0x20;

enum class CmpOp : std::uint8_t { eq, ne, lt, le, gt, ge };
struct Cmp {
  CmpOp op;
  Reg sreg;
  Value value; ///< compared over its own length
};
struct Range {
  Reg sreg;
  Value from, to; ///< both included
  bool invert = false;
};
/// dreg = (sreg & mask) ^ xor_; mask and xor_ are equally long.
struct Bitwise {
  Reg sreg, dreg;
  Value mask, xor_;
};
struct Byteorder {
  Reg sreg, dreg;
  bool to_network = false;
  std::uint32_t length_bytes, unit_bytes;
};
/// A set: matches if the key is (not) inside. A data map with `dreg`: loads the data, ends the rule
/// if there is none. A verdict map with `to_verdict`.
struct Lookup {
  std::string set;
  Reg sreg;
  std::optional<Reg> dreg = {};
  bool to_verdict = false;
  bool invert = false;
};
struct Immediate {
  Reg dreg;
  Value value;
};
struct Numgen {
  Reg dreg;
  std::uint32_t modulus;
  bool random = true; ///< else one after the other
  std::uint32_t offset = 0;
};
/// NF_NAT_RANGE_*
inline constexpr std::uint32_t kNatRandom = 4, kNatPersistent = 8, kNatFullyRandom = 16;
struct Nat {
  bool source = false; ///< snat; else dnat
  Family family;
  std::optional<Reg> address = {}, port = {}; ///< as in the packet: network order
  std::uint32_t flags = 0;
};
struct Masquerade {
  std::uint32_t flags = kNatFullyRandom;
};
enum class RejectWith : std::uint8_t {
  port_unreachable, ///< ICMP 3/3, ICMPv6 1/4, by the family of the table
  admin_prohibited, ///< ICMP 3/13, ICMPv6 1/1
  tcp_reset,
};
struct Reject {
  RejectWith with = RejectWith::port_unreachable;
  TableFamily family; ///< inet uses the ICMPX codes
};
struct Counter {};
/// `fib daddr type` and its like. NFTA_FIB_F_*: 1 saddr, 2 daddr, 4 mark, 8 iif, 16 oif.
inline constexpr std::uint32_t kFibSaddr = 1, kFibDaddr = 2, kFibIif = 8;
enum class FibResult : std::uint8_t { oif = 1, oifname = 2, addrtype = 3 };
struct Fib {
  FibResult result;
  std::uint32_t flags;
  Reg dreg;
};
enum class DynsetOp : std::uint8_t { add = 0, update = 1, remove = 2 };
struct Dynset {
  std::string set;
  DynsetOp op;
  Reg sreg_key;
  std::optional<Reg> sreg_data = {};
  std::chrono::milliseconds timeout{0};
};

using Expr =
    std::variant<Payload, Meta, MetaSet, Ct, CtSet, Cmp, Range, Bitwise, Byteorder, Lookup,
                 Immediate, Verdict, Numgen, Nat, Masquerade, Reject, Counter, Fib, Dynset>;
using Exprs = std::vector<Expr>;

struct Rule {
  std::string chain;
  Exprs exprs;
  std::string comment = {}; ///< at most 128 bytes
};

/// As `nft --debug=netlink` prints a rule: "[ payload load 4b @ network header + 16 => reg 1 ]
/// ...", one line. Rendered by libnftnl, so it compares with what is read back.
std::string text_of(TableFamily family, const Rule &rule);

// ---- phrases: what rules are mostly made of. They use register 0 upwards. -----------------------

/// Puts phrases behind each other.
Exprs join(std::initializer_list<Exprs> phrases);

Exprs source_in(const Cidr &cidr, bool invert = false);
Exprs destination_in(const Cidr &cidr, bool invert = false);
/// For tables of family inet: only packets of `family`.
Exprs only_family(Family family);
Exprs protocol_is(Protocol protocol);
Exprs destination_port(Port port);
/// A name, or a prefix that ends in '*'.
Exprs input_interface(std::string_view name, bool invert = false);
Exprs output_interface(std::string_view name, bool invert = false);
/// Any of the bits: kCtNew, kCtEstablished | kCtRelated ...
Exprs ct_state(std::uint32_t bits);
Exprs ct_status(std::uint32_t bits);
Exprs ct_mark_has(std::uint32_t bits);
Exprs mark_has(std::uint32_t bits);
/// Only these bits change; the others are other people's.
Exprs set_mark_bits(std::uint32_t bits);
Exprs clear_mark_bits(std::uint32_t bits);
Exprs set_ct_mark_bits(std::uint32_t bits, Reg scratch = 0);
/// The destination is (not) an address of this host.
Exprs destination_is_local(bool invert = false);

inline Exprs go_to(std::string chain) { return {Verdict{VerdictCode::go_to, std::move(chain)}}; }
inline Exprs jump(std::string chain) { return {Verdict{VerdictCode::jump, std::move(chain)}}; }
inline Exprs accept() { return {Verdict{VerdictCode::accept, {}}}; }
inline Exprs drop() { return {Verdict{VerdictCode::drop, {}}}; }

} // namespace sluice::kernel::nft
