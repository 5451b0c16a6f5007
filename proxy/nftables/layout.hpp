#pragma once
// The shape of the table: names, types, constant rules, and how a frontend or a slot becomes an
// element. Whoever changes anything here raises kLayoutVersion: the next start then replaces the
// table in one transaction instead of adopting it.

#include "kernel/nft/batch.hpp"
#include "proxy/model/table.hpp"
#include "proxy/nftables/dataplane.hpp"

namespace sluice::proxy::nftables {

inline constexpr int kLayoutVersion = 2;
/// The comment of the table.
std::string layout_mark();

/// The three classes of sources, in the order of their set ids in a frontend's data.
enum class Source : std::uint8_t { pod = 0, node = 1, outside = 2 };
inline constexpr std::array kSources{Source::pod, Source::node, Source::outside};
std::string_view name_of(Source source) noexcept;
const TrafficPath &path_of(const FrontendInfo &info, Source source) noexcept;

// ---- maps --------------------------------------------------------------------------------------

inline constexpr auto kFrontends = "frontends";    ///< addr . proto . port : flags . set x3
inline constexpr auto kCounts = "counts";          ///< set : how many slots
inline constexpr auto kSlots = "slots";            ///< set . slot : addr . port
inline constexpr auto kClusterIps = "cluster-ips"; ///< addr
inline constexpr auto kHairpin = "hairpin";        ///< addr . addr, twice the same local endpoint
std::string dispatch_map(Source source);           ///< count : goto pick-<source>-<count>
std::string pick_chain(Source source, std::uint32_t count);
/// The count in a pick chain's name; nothing for another chain.
std::optional<std::uint32_t> count_of_pick_chain(std::string_view name);

/// How many elements the sized maps take.
struct Sizes {
  std::uint32_t frontends = 0, sets = 0, slots = 0, hairpins = 0;
  friend bool operator==(const Sizes &, const Sizes &) = default;
};
/// Room for twice of what is needed, powers of two, never small: growth replaces the table.
Sizes sizes_for(const Sizes &needed);
bool fits(const Sizes &needed, const Sizes &sizes) noexcept;

std::vector<kernel::nft::Set> maps(Family family, const Sizes &sizes);

// ---- elements ----------------------------------------------------------------------------------

/// A set's number in the kernel; 0 is the empty set, which has no count.
using KernelSetId = std::uint32_t;

/// Flags in a frontend's data: bit `source` masquerade, bit `source` + 8 drop when empty.
constexpr std::uint32_t masquerade_flag(Source source) noexcept {
  return 1U << static_cast<unsigned>(source);
}
constexpr std::uint32_t drop_flag(Source source) noexcept {
  return 0x100U << static_cast<unsigned>(source);
}

kernel::nft::Value frontend_key(const Frontend &frontend);
/// `sets`: the kernel's ids, in the order of kSources.
kernel::nft::Value frontend_data(const FrontendInfo &info, const std::array<KernelSetId, 3> &sets);
std::array<KernelSetId, 3> sets_of(const kernel::nft::Value &frontend_data);
kernel::nft::Value number(std::uint32_t value);
kernel::nft::Value slot_key(KernelSetId set, std::uint32_t slot);
kernel::nft::Value slot_data(const SocketAddress &endpoint);
kernel::nft::Value hairpin_key(const IpAddress &endpoint);
/// The opposite of slot_data.
SocketAddress endpoint_of(Family family, const kernel::nft::Value &data);

// ---- chains and rules --------------------------------------------------------------------------

/// Those whose rules depend on the node alone, base chains among them.
std::vector<kernel::nft::Chain> constant_chains();
/// The rules of the constant chains, by chain.
std::map<std::string, std::vector<kernel::nft::Rule>>
constant_rules(Family family, const NodeInfo &node, const Options &options);
kernel::nft::Rule pick_rule(Family family, Source source, std::uint32_t count,
                            const Options &options);

} // namespace sluice::proxy::nftables
