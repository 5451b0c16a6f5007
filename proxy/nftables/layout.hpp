#pragma once
// The shape of the table: names, types, constant rules, and how a frontend or a slot becomes an
// element. Whoever changes anything here raises kLayoutVersion: the next start then replaces the
// table in one transaction instead of adopting it.

#include "kernel/nft/batch.hpp"
#include "proxy/model/table.hpp"
#include "proxy/nftables/dataplane.hpp"

namespace sluice::proxy::nftables {

inline constexpr int kLayoutVersion = 4;
/// The comment of the table.
std::string layout_mark();

/// The three classes of sources, in the order of their set ids in a frontend's data.
enum class Source : std::uint8_t { pod = 0, node = 1, outside = 2 };
inline constexpr std::array kSources{Source::pod, Source::node, Source::outside};
std::string_view name_of(Source source) noexcept;
const TrafficPath &path_of(const FrontendInfo &info, Source source) noexcept;

// ---- maps --------------------------------------------------------------------------------------

inline constexpr auto kFrontends = "frontends";       ///< addr . proto . port : see frontend_data
inline constexpr auto kNodePorts = "node-ports";      ///< proto . port : the same data
inline constexpr auto kNodePortIps = "node-port-ips"; ///< addr, if not every local one is meant
inline constexpr auto kCounts = "counts";             ///< set : how many slots
inline constexpr auto kSlots = "slots";               ///< set . slot : addr . port
inline constexpr auto kClusterIps = "cluster-ips";    ///< addr
inline constexpr auto kHairpin = "hairpin"; ///< addr . addr, twice the same local endpoint
/// addr . proto . port . prefix length . network of the source: who may come in.
inline constexpr auto kRanges = "ranges";
/// service . client : addr . port of the endpoint. Written by packets alone.
inline constexpr auto kAffinity = "affinity";
inline constexpr auto kMembers = "members";   ///< set . addr . port, of sets with affinity
inline constexpr auto kServices = "services"; ///< service : its timeout in seconds
inline constexpr auto kTimeouts = "timeouts"; ///< seconds : goto remember-<seconds>; 0: return
std::string dispatch_map(Source source);      ///< count : goto pick-<source>-<count>

/// The map that a frontend is in.
const char *map_of(const Frontend &frontend) noexcept;

/// How many elements the sized maps take.
struct Sizes {
  std::uint32_t frontends = 0, nodePorts = 0, sets = 0, slots = 0, hairpins = 0, ranges = 0,
                members = 0;
  friend bool operator==(const Sizes &, const Sizes &) = default;
};
/// Room for twice of what is needed, powers of two, never small: growth replaces the table.
Sizes sizes_for(const Sizes &needed);
bool fits(const Sizes &needed, const Sizes &sizes) noexcept;

std::vector<kernel::nft::Set> maps(Family family, const Sizes &sizes);

// ---- elements ----------------------------------------------------------------------------------

/// A set's number in the kernel; 0 is the empty set, which has no count.
using KernelSetId = std::uint32_t;

/// Flags in a frontend's data: masquerade and drop-when-empty for each source, and two more.
constexpr std::uint32_t masquerade_flag(Source source) noexcept {
  return 1U << static_cast<unsigned>(source);
}
constexpr std::uint32_t drop_flag(Source source) noexcept {
  return 8U << static_cast<unsigned>(source);
}
inline constexpr std::uint32_t kRangedFlag = 0x40, kAffinityFlag = 0x80;

/// Whose clients keep their endpoints, and how long. The number (48 bits) is a hash of the name and
/// the timeout: the same after a restart, and a timeout that changes starts anew. Should two
/// collide, a client is still only sent to an endpoint of its own set.
struct AffinityService {
  std::uint64_t number = 0; ///< 0: no affinity
  std::uint32_t seconds = 0;
  friend auto operator<=>(const AffinityService &, const AffinityService &) = default;
};
AffinityService affinity_of(const FrontendInfo &info);

/// What of a frontend the kernel is told.
struct FrontendRecord {
  std::array<BackendSetId, 3> sets; ///< in the order of kSources
  std::uint32_t flags = 0;
  AffinityService affinity;
  bool isClusterIp = false;
  std::vector<Cidr> ranges; ///< each once, sorted
};
FrontendRecord record_of(const FrontendInfo &info);

kernel::nft::Value frontend_key(const Frontend &frontend);
/// flags . set pod . set node . set outside . service. `sets`: the kernel's ids, in the order of
/// kSources.
kernel::nft::Value frontend_data(const FrontendRecord &record,
                                 const std::array<KernelSetId, 3> &sets);
std::array<KernelSetId, 3> sets_of(const kernel::nft::Value &frontend_data);
kernel::nft::Value number(std::uint32_t value);
kernel::nft::Value slot_key(KernelSetId set, std::uint32_t slot);
kernel::nft::Value slot_data(const SocketAddress &endpoint);
kernel::nft::Value hairpin_key(const IpAddress &endpoint);
kernel::nft::Value service_key(const AffinityService &service);
kernel::nft::Value member_key(KernelSetId set, const SocketAddress &endpoint);
kernel::nft::Value range_key(const Frontend &frontend, const Cidr &source);
/// The opposite of slot_data.
SocketAddress endpoint_of(Family family, const kernel::nft::Value &data);

// ---- chains and rules --------------------------------------------------------------------------

/// Those that are always there, base chains among them.
std::vector<kernel::nft::Chain> constant_chains();
/// The rules of the constant chains but kRangesChain, by chain. They depend on the node alone.
std::map<std::string, std::vector<kernel::nft::Rule>>
constant_rules(Family family, const NodeInfo &node, const Options &options);

/// Returns if the source may come in, else drops: one rule for each prefix length in use.
inline constexpr auto kRangesChain = "source-ranges";
std::vector<kernel::nft::Rule> range_rules(Family family, const std::set<std::uint8_t> &prefixes);

/// Chains that come with the first backend set of a size, or with the first timeout.
std::string pick_chain(Source source, std::uint32_t count);
std::string remember_chain(std::uint32_t seconds);
bool is_variable_chain(std::string_view name);
std::vector<kernel::nft::Rule> pick_rules(Family family, Source source, std::uint32_t count,
                                          const Options &options);
std::vector<kernel::nft::Rule> remember_rules(Family family, std::uint32_t seconds);

} // namespace sluice::proxy::nftables
