#include "integration/packets/planes.hpp"

#include "kernel/iptables.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "proxy/iptables/dataplane.hpp"
#include "proxy/ipvs/dataplane.hpp"
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
  proxy::iptables::Options options;
  if (family == Family::ipv4)
    options.routeLocalnet = {[&node] { return node.run(proxy::iptables::route_localnet().get); },
                             [&node](bool on) {
                               return node.run(
                                   [on] { return proxy::iptables::route_localnet().set(on); });
                             }};
  return proxy::iptables::make_dataplane(family, std::move(tool), std::move(options));
}

/// The daemon lives in its node's namespace, this program does not.
class InNamespace final : public proxy::ipvs::Environment {
public:
  InNamespace(const NetNs &node, std::unique_ptr<Environment> environment)
      : node_(node), environment_(std::move(environment)) {}
  Result<> prepare() override {
    return node_.run([&] { return environment_->prepare(); });
  }
  Result<std::vector<std::string>> differences() override {
    return node_.run([&] { return environment_->differences(); });
  }
  Result<proxy::ipvs::OpenConnections> open_connections() override {
    return node_.run([&] { return environment_->open_connections(); });
  }
  Result<> remove() override {
    return node_.run([&] { return environment_->remove(); });
  }

private:
  const NetNs &node_;
  std::unique_ptr<Environment> environment_;
};

Made ipvs(Family family, const NetNs &node) {
  static const SteadyClock kClock;
  SLUICE_ASSIGN(auto nft, node.run([] { return kernel::nft::NftSocket::open(); }),
                "open nf_tables");
  SLUICE_ASSIGN(auto virtuals, node.run([] { return kernel::ipvs::IpvsSocket::open(); }),
                "open IPVS");
  const proxy::ipvs::Options options;
  return proxy::ipvs::make_dataplane(
      family, std::make_unique<kernel::nft::NftSocket>(std::move(nft)),
      std::make_unique<kernel::ipvs::IpvsSocket>(std::move(virtuals)),
      std::make_unique<InNamespace>(
          node, proxy::ipvs::make_environment(family, {options.divertBit, options.ownCtBit})),
      kClock, options);
}

std::optional<std::string> no_ipvs() {
  const auto opened = kernel::ipvs::IpvsSocket::open();
  return opened ? std::nullopt : std::optional(opened.error().what());
}

} // namespace

std::vector<Plane> planes() {
  const std::vector<Plane> all = {
      {"nftables", nftables, {"nftables"}},
      {"iptables-nft", iptables<Flavour::nft>, {"iptables", "iptables-nft"}},
      {"iptables-legacy", iptables<Flavour::legacy>, {"iptables", "iptables-legacy"}},
      {"ipvs", ipvs, {"ipvs"}, no_ipvs},
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
