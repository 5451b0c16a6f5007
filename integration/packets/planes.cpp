#include "integration/packets/planes.hpp"

#include "kernel/iptables.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "proxy/iptables/dataplane.hpp"
#include "proxy/nftables/dataplane.hpp"

#include <cstdlib>

namespace sluice::integration::packets {
namespace {

using kernel::NetNs;
using kernel::iptables::Flavour;
using Made = Result<std::unique_ptr<proxy::Dataplane>>;

Made nftables(Family family, const NetNs &node) {
  SLUICE_ASSIGN(auto socket, node.run([] { return kernel::nft::NftSocket::open(); }),
                "open nf_tables");
  return proxy::nftables::make_dataplane(
      family, std::make_unique<kernel::nft::NftSocket>(std::move(socket)));
}

template <Flavour flavour> Made iptables(Family family, const NetNs &node) {
  SLUICE_ASSIGN(
      auto tool,
      kernel::iptables::open_tool({.family = family, .flavour = flavour, .netns_fd = node.fd()}),
      "open iptables");
  return proxy::iptables::make_dataplane(family, std::move(tool));
}

} // namespace

std::vector<Plane> planes() {
  const std::vector<Plane> all = {
      {"nftables", nftables, {"nftables"}},
      {"iptables-nft", iptables<Flavour::nft>, {"iptables", "iptables-nft"}},
      {"iptables-legacy", iptables<Flavour::legacy>, {"iptables", "iptables-legacy"}},
  };
  const char *wanted = std::getenv("SLUICE_PLANES");
  if (wanted == nullptr)
    return all;
  std::vector<Plane> chosen;
  const auto list = "," + std::string(wanted) + ",";
  for (const auto &plane : all)
    if (list.find("," + plane.name + ",") != std::string::npos)
      chosen.push_back(plane);
  return chosen;
}

} // namespace sluice::integration::packets
