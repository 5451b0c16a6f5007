#pragma once
// Where a rule's values lie. Registers are 32 bits wide, and a rule reads only what it has written
// itself (kernels from 6.10 on insist): so each rule that needs a frontend loads it again.
//
// A frontend's data begins with the flags and not with a set for the sake of nft 1.0.6 (Debian 12):
// it aborts on a rule that looks up what lies in the first register of another map's data.

#include "proxy/nftables/layout.hpp"

namespace sluice::proxy::nftables {

/// The two maps that say what a packet is addressed to.
enum class By : std::uint8_t { address, node_port };
inline constexpr std::array kBoth{By::address, By::node_port};

///   v4  0: addr . proto . port   3: flags . set x3 . service   9: client
///   v6  0: addr . proto . port   6: flags . set x3 . service  12: client
class Registers {
public:
  explicit Registers(Family family) : v4_(family == Family::ipv4) {}

  using Reg = kernel::nft::Reg;
  Reg words() const { return v4_ ? 1 : 4; } ///< of an address
  Reg flags() const { return static_cast<Reg>(words() + 2); }
  Reg set(Source source) const { return static_cast<Reg>(flags() + 1 + static_cast<Reg>(source)); }
  Reg service() const { return static_cast<Reg>(flags() + 4); }
  Reg client() const { return static_cast<Reg>(flags() + 6); }

  kernel::nft::Payload source(Reg reg) const;
  kernel::nft::Payload destination(Reg reg) const;
  /// Loads the frontend's data, or ends the rule: the packet is for none.
  kernel::nft::Exprs load(By by) const;
  /// The same by what the connection's first packet was addressed to before it was translated.
  kernel::nft::Exprs load_original(By by) const;
  /// The source of the connection's first packet.
  kernel::nft::Ct original_source(Reg reg) const;
  kernel::nft::Exprs any_flag(std::uint32_t flags) const;

private:
  bool v4_;
};

} // namespace sluice::proxy::nftables
