#include "proxy/dataplanes.hpp"

#include "kernel/nft/nft_socket.hpp"
#include "proxy/iptables/dataplane.hpp"
#include "proxy/nftables/dataplane.hpp"

namespace sluice::proxy {
namespace {

using kernel::iptables::Flavour;

Result<OpenedDataplane> open_nftables(Family family, const SharedState &shared) {
  SLUICE_ASSIGN(auto socket, kernel::nft::NftSocket::open(), "open nf_tables");
  const auto port = socket.port_id();
  SLUICE_ASSIGN(auto monitor,
                kernel::nft::NftMonitor::open(
                    {kernel::nft::table_family(family), nftables::Options{}.table}, {port}),
                "watch nf_tables");
  nftables::Options options;
  options.commits = shared.nftCommits;
  return OpenedDataplane{
      nftables::make_dataplane(family, std::make_unique<kernel::nft::NftSocket>(std::move(socket)),
                               std::move(options)),
      std::move(monitor)};
}

Result<OpenedDataplane> open_iptables(Flavour flavour, Family family) {
  SLUICE_ASSIGN(auto tool, kernel::iptables::open_tool({.family = family, .flavour = flavour}),
                "open iptables");
  return OpenedDataplane{
      iptables::make_dataplane(family, std::move(tool), iptables::options_for(flavour)),
      std::nullopt};
}

} // namespace

const std::vector<Layout> &all_layouts() {
  static const std::vector<Layout> layouts{"nftables", "iptables-legacy", "iptables-nft"};
  return layouts;
}

Result<Layout> layout_of_mode(const std::string &mode) {
  if (mode == "nftables")
    return mode;
  if (mode == "iptables") {
    SLUICE_ASSIGN(const auto flavour, kernel::iptables::flavour_in_use(), "mode iptables");
    return "iptables-" + std::string(name_of(flavour));
  }
  return fail(Errc::unsupported, "mode \"" + mode +
                                     "\": this version has no such data plane; nftables and "
                                     "iptables give the same answers");
}

Result<OpenedDataplane> open_dataplane(const Layout &layout, Family family,
                                       const SharedState &shared) {
  if (layout == "nftables")
    return open_nftables(family, shared);
  if (layout == "iptables-legacy")
    return open_iptables(Flavour::legacy, family);
  if (layout == "iptables-nft")
    return open_iptables(Flavour::nft, family);
  return fail(Errc::unsupported, "there is no data plane \"" + layout + "\"");
}

} // namespace sluice::proxy
