#include "proxy/nftables/registers.hpp"

namespace sluice::proxy::nftables {

using namespace kernel::nft;

Payload Registers::source(Reg reg) const {
  return {PayloadBase::network, v4_ ? 12U : 8U, v4_ ? 4U : 16U, reg};
}

Payload Registers::destination(Reg reg) const {
  return {PayloadBase::network, v4_ ? 16U : 24U, v4_ ? 4U : 16U, reg};
}

Exprs Registers::load(By by) const {
  if (by == By::node_port)
    return {Meta{MetaKey::l4proto, 0}, Payload{PayloadBase::transport, 2, 2, 1},
            Lookup{.set = kNodePorts, .sreg = 0, .dreg = flags()}};
  return {destination(0), Meta{MetaKey::l4proto, words()},
          Payload{PayloadBase::transport, 2, 2, static_cast<Reg>(words() + 1)},
          Lookup{.set = kFrontends, .sreg = 0, .dreg = flags()}};
}

Exprs Registers::load_original(By by) const {
  const auto port = [](Reg reg) { return Ct{CtKey::proto_dst, reg, true}; };
  if (by == By::node_port)
    return {Meta{MetaKey::l4proto, 0}, port(1),
            Lookup{.set = kNodePorts, .sreg = 0, .dreg = flags()}};
  return {Ct{v4_ ? CtKey::dst_ip : CtKey::dst_ip6, 0, true}, Meta{MetaKey::l4proto, words()},
          port(static_cast<Reg>(words() + 1)),
          Lookup{.set = kFrontends, .sreg = 0, .dreg = flags()}};
}

Ct Registers::original_source(Reg reg) const {
  return {v4_ ? CtKey::src_ip : CtKey::src_ip6, reg, true};
}

Exprs Registers::any_flag(std::uint32_t bits) const {
  return {Bitwise{flags(), flags(), field_u32(bits), field_u32(0)},
          Cmp{CmpOp::ne, flags(), field_u32(0)}};
}

} // namespace sluice::proxy::nftables
