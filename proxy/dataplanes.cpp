#include "proxy/dataplanes.hpp"

#include "kernel/nft/nft_socket.hpp"
#include "proxy/ipvs/dataplane.hpp"

namespace sluice::proxy {
namespace {

using kernel::iptables::Flavour;

struct WatchedNft {
  std::unique_ptr<kernel::nft::NftSocket> socket;
  kernel::nft::NftMonitor monitor; ///< says when anybody but `socket` touches the table
};

Result<WatchedNft> open_nft(Family family, const std::string &table) {
  SLUICE_ASSIGN(auto socket, kernel::nft::NftSocket::open(), "open nf_tables");
  const auto port = socket.port_id();
  SLUICE_ASSIGN(auto monitor,
                kernel::nft::NftMonitor::open({kernel::nft::table_family(family), table}, {port}),
                "watch nf_tables");
  return WatchedNft{std::make_unique<kernel::nft::NftSocket>(std::move(socket)),
                    std::move(monitor)};
}

Result<OpenedDataplane> open_nftables(Family family, const SharedState &shared) {
  nftables::Options options;
  options.commits = shared.nftCommits;
  SLUICE_ASSIGN(auto nft, open_nft(family, options.table), "mode nftables");
  return OpenedDataplane{
      nftables::make_dataplane(family, std::move(nft.socket), std::move(options)),
      std::move(nft.monitor)};
}

Result<OpenedDataplane> open_iptables(Flavour flavour, Family family, const SharedState &shared) {
  SLUICE_ASSIGN(auto tool, kernel::iptables::open_tool({.family = family, .flavour = flavour}),
                "open iptables");
  auto options = iptables::options_for(flavour);
  options.ipvsCtMarkBit = ipvs::Options{}.ownCtBit;
  if (family == Family::ipv4)
    options.routeLocalnet = iptables::route_localnet();
  if (shared.iptablesWrote)
    options.wrote = [family, wrote = shared.iptablesWrote](const iptables::WriteReport &report) {
      wrote(family, report);
    };
  return OpenedDataplane{iptables::make_dataplane(family, std::move(tool), std::move(options)),
                         std::nullopt};
}

/// Rounded up: 0 would keep what the kernel has.
std::chrono::seconds in_seconds(std::chrono::nanoseconds time) {
  return std::chrono::ceil<std::chrono::seconds>(time);
}

ipvs::Options ipvs_options(const IpvsOptions &wanted) {
  ipvs::Options options;
  options.scheduler = wanted.scheduler;
  options.timeouts = {in_seconds(wanted.tcpTimeout), in_seconds(wanted.tcpFinTimeout),
                      in_seconds(wanted.udpTimeout)};
  if (wanted.drainLimit.count() > 0)
    options.tcpDrainLimit = options.sctpDrainLimit = in_seconds(wanted.drainLimit);
  return options;
}

Result<OpenedDataplane> open_ipvs(kernel::ipvs::IpvsSocket socket, Family family,
                                  const IpvsOptions &wanted) {
  static const SteadyClock kClock;
  const auto options = ipvs_options(wanted);
  SLUICE_ASSIGN(auto nft, open_nft(family, options.table), "mode ipvs");
  auto environment = ipvs::make_environment(
      family, {options.divertBit, options.ownCtBit, wanted.strictArp && family == Family::ipv4});
  return OpenedDataplane{
      ipvs::make_dataplane(family, std::move(nft.socket),
                           std::make_unique<kernel::ipvs::IpvsSocket>(std::move(socket)),
                           std::move(environment), kClock, options),
      std::move(nft.monitor)};
}

/// For somebody who only wants to take away what is there: any scheduler will do.
std::optional<OpenedDataplane> open_ipvs_leftover(Family family) {
  auto socket = kernel::ipvs::IpvsSocket::open();
  if (!socket)
    return std::nullopt;
  auto opened = open_ipvs(std::move(*socket), family, {});
  return opened ? std::optional(std::move(*opened)) : std::nullopt;
}

bool has_table(Family family, const std::string &name) {
  auto socket = kernel::nft::NftSocket::open();
  if (!socket)
    return false;
  const auto table = socket->read_table({kernel::nft::table_family(family), name});
  return table && *table;
}

} // namespace

const std::vector<Layout> &all_layouts() {
  static const std::vector<Layout> layouts{"nftables", "iptables-legacy", "iptables-nft", "ipvs"};
  return layouts;
}

Result<Layout> layout_of_mode(const std::string &mode) {
  if (mode == "nftables")
    return mode;
  if (mode == "iptables") {
    SLUICE_ASSIGN(const auto flavour, kernel::iptables::flavour_in_use(), "mode iptables");
    return "iptables-" + std::string(name_of(flavour));
  }
  if (mode == "ipvs") {
    SLUICE_TRY(kernel::ipvs::IpvsSocket::open(), "mode ipvs");
    return mode;
  }
  return fail(Errc::unsupported, "mode \"" + mode +
                                     "\": this version has no such data plane; nftables, "
                                     "iptables and ipvs give the same answers");
}

Result<OpenedDataplane> open_dataplane(const Layout &layout, Family family,
                                       const SharedState &shared, const IpvsOptions &options) {
  if (layout == "nftables")
    return open_nftables(family, shared);
  if (layout == "iptables-legacy")
    return open_iptables(Flavour::legacy, family, shared);
  if (layout == "iptables-nft")
    return open_iptables(Flavour::nft, family, shared);
  if (layout == "ipvs") {
    SLUICE_ASSIGN(auto socket, kernel::ipvs::IpvsSocket::open(), "mode ipvs");
    SLUICE_TRY(ipvs::try_scheduler(socket, family, ipvs_options(options)), "mode ipvs");
    return open_ipvs(std::move(socket), family, options);
  }
  return fail(Errc::unsupported, "there is no data plane \"" + layout + "\"");
}

std::optional<OpenedDataplane> open_leftover(const Layout &layout, Family family) {
  if (layout == "ipvs")
    return has_table(family, ipvs::Options{}.table) ? open_ipvs_leftover(family) : std::nullopt;
  auto opened = open_dataplane(layout, family);
  return opened ? std::optional(std::move(*opened)) : std::nullopt;
}

} // namespace sluice::proxy
