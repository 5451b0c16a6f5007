#include "kernel/nft/expr.hpp"

#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

namespace sluice::kernel::nft {
namespace {

struct AddressField {
  std::uint32_t v4_offset, v6_offset;
};
constexpr AddressField kSource{12, 8}, kDestination{16, 24}; // struct iphdr, struct ipv6hdr

Exprs address_in(AddressField where, const Cidr &cidr, bool invert) {
  const auto v4 = cidr.family() == Family::ipv4;
  const std::uint32_t length = v4 ? 4 : 16;
  Exprs exprs{Payload{PayloadBase::network, v4 ? where.v4_offset : where.v6_offset, length, 0}};
  if (cidr.prefix_length() < cidr.address().bits()) {
    const std::uint8_t none[16] = {};
    exprs.emplace_back(Bitwise{0, 0, field(cidr.netmask()), field(std::span(none, length))});
  }
  exprs.emplace_back(Cmp{invert ? CmpOp::ne : CmpOp::eq, 0, field(cidr.address())});
  return exprs;
}

Exprs interface_is(MetaKey key, std::string_view name, bool invert) {
  return {Meta{key, 0}, Cmp{invert ? CmpOp::ne : CmpOp::eq, 0, field_name(name)}};
}

Bitwise keep(std::uint32_t bits) { return {0, 0, field_u32(bits), field_u32(0)}; }

} // namespace

Exprs join(std::initializer_list<Exprs> phrases) {
  Exprs all;
  for (const auto &phrase : phrases)
    all.insert(all.end(), phrase.begin(), phrase.end());
  return all;
}

Exprs source_in(const Cidr &cidr, bool invert) { return address_in(kSource, cidr, invert); }

Exprs destination_in(const Cidr &cidr, bool invert) {
  return address_in(kDestination, cidr, invert);
}

Exprs only_family(Family family) {
  const std::uint8_t number = family == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  return {Meta{MetaKey::nfproto, 0}, Cmp{CmpOp::eq, 0, field(std::span(&number, 1))}};
}

Exprs protocol_is(Protocol protocol) {
  return {Meta{MetaKey::l4proto, 0}, Cmp{CmpOp::eq, 0, field(protocol)}};
}

Exprs destination_port(Port port) {
  return {Payload{PayloadBase::transport, 2, 2, 0}, Cmp{CmpOp::eq, 0, field(port)}};
}

Exprs input_interface(std::string_view name, bool invert) {
  return interface_is(MetaKey::iifname, name, invert);
}

Exprs output_interface(std::string_view name, bool invert) {
  return interface_is(MetaKey::oifname, name, invert);
}

Exprs ct_state(std::uint32_t bits) {
  return {Ct{CtKey::state, 0}, keep(bits), Cmp{CmpOp::ne, 0, field_u32(0)}};
}

Exprs ct_status(std::uint32_t bits) {
  return {Ct{CtKey::status, 0}, keep(bits), Cmp{CmpOp::ne, 0, field_u32(0)}};
}

Exprs ct_mark_has(std::uint32_t bits) {
  return {Ct{CtKey::mark, 0}, keep(bits), Cmp{CmpOp::eq, 0, field_u32(bits)}};
}

Exprs mark_has(std::uint32_t bits) {
  return {Meta{MetaKey::mark, 0}, keep(bits), Cmp{CmpOp::eq, 0, field_u32(bits)}};
}

Exprs set_mark_bits(std::uint32_t bits) {
  return {Meta{MetaKey::mark, 0}, Bitwise{0, 0, field_u32(~bits), field_u32(bits)},
          MetaSet{MetaKey::mark, 0}};
}

Exprs clear_mark_bits(std::uint32_t bits) {
  return {Meta{MetaKey::mark, 0}, keep(~bits), MetaSet{MetaKey::mark, 0}};
}

Exprs set_ct_mark_bits(std::uint32_t bits, Reg scratch) {
  return {Ct{CtKey::mark, scratch}, Bitwise{scratch, scratch, field_u32(~bits), field_u32(bits)},
          CtSet{CtKey::mark, scratch}};
}

Exprs destination_is_local(bool invert) {
  return {Fib{FibResult::addrtype, kFibDaddr, 0},
          Cmp{invert ? CmpOp::ne : CmpOp::eq, 0, field_u32(RTN_LOCAL)}};
}

} // namespace sluice::kernel::nft
