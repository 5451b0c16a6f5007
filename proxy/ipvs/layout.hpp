#pragma once
// The shape of the nft table beside IPVS: names, types, constant rules, and how a frontend becomes
// an element. Whoever changes anything here raises kLayoutVersion.

#include "kernel/nft/batch.hpp"
#include "proxy/ipvs/dataplane.hpp"

#include <map>

namespace sluice::proxy::ipvs {

inline constexpr int kLayoutVersion = 2;
/// The comment of the table.
std::string layout_mark();

enum class Source : std::uint8_t { pod = 0, node = 1, outside = 2 };
inline constexpr std::array kSources{Source::pod, Source::node, Source::outside};
const TrafficPath &path_of(const FrontendInfo &info, Source source) noexcept;

/// The packet mark that names a virtual service: the divert bit and a number. 0: none.
using Mark = std::uint32_t;

// ---- maps --------------------------------------------------------------------------------------

/// addr . proto . port : flags . mark x3 . affinity seconds . service. NodePorts have a zero addr.
inline constexpr auto kFrontends = "frontends";
/// service . client : addr . port; the packets' own
inline constexpr auto kAffinity = "affinity";
/// mark . addr . port : the mark that leads to this one endpoint of the service
inline constexpr auto kPinned = "pinned";
inline constexpr auto kTimeouts = "timeouts";      ///< seconds : goto remember-<seconds>
inline constexpr auto kRanges = "ranges";          ///< addr . proto . port : jump ranges-<hash>
inline constexpr auto kClusterIps = "cluster-ips"; ///< addr
inline constexpr auto kHairpin = "hairpin";        ///< addr . addr, twice the same local endpoint
inline constexpr auto kNodePortIps = "node-port-ips"; ///< addr
/// mark : proto. The virtual services that are ours; written before they are made.
inline constexpr auto kServers = "servers";

std::vector<kernel::nft::Set> maps(Family family);

// ---- elements ----------------------------------------------------------------------------------

constexpr std::uint32_t masquerade_flag(Source source) noexcept {
  return 1U << static_cast<unsigned>(source);
}
constexpr std::uint32_t drop_flag(Source source) noexcept {
  return 0x100U << static_cast<unsigned>(source);
}
inline constexpr std::uint32_t kRangedFlag = 0x10, kAffinityFlag = 0x20;

/// The number of a Service port in @affinity: the same in every run.
std::uint32_t service_number(const ServicePortName &service);

kernel::nft::Value frontend_key(Family family, const Frontend &frontend);
kernel::nft::Value frontend_data(const FrontendInfo &info, const std::array<Mark, 3> &marks);
std::array<Mark, 3> marks_of(const kernel::nft::Value &frontend_data);
kernel::nft::Value number(std::uint32_t value);
kernel::nft::Value address(const IpAddress &ip);
kernel::nft::Value pinned_key(Mark server, const SocketAddress &endpoint);
/// The opposite of pinned_key.
std::pair<Mark, SocketAddress> pinned_of(Family family, const kernel::nft::Value &key);

// ---- chains and rules --------------------------------------------------------------------------

/// Their rules, by chain; a chain without rules is there too.
using Rules = std::map<std::string, std::vector<kernel::nft::Rule>>;

/// New connections that no frontend took: the only rules that do something without elements.
inline constexpr auto kUnmatchedChain = "unmatched";

/// Those that depend on the node alone, base chains among them.
std::vector<kernel::nft::Chain> constant_chains();
Rules constant_rules(Family family, const NodeInfo &node, const Options &options);

std::string remember_chain(std::chrono::seconds affinity);
std::vector<kernel::nft::Rule> remember_rules(Family family, std::chrono::seconds affinity);
std::string ranges_chain(const Frontend &frontend);
std::vector<kernel::nft::Rule> ranges_rules(const Frontend &frontend,
                                            const std::vector<Cidr> &ranges);

} // namespace sluice::proxy::ipvs
