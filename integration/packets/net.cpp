#include "integration/packets/net.hpp"

#include "integration/packets/sockets.hpp"
#include "kernel/sysctl.hpp"
#include "proxy/cases/world.hpp"

namespace sluice::integration::packets {
namespace {

using namespace kernel;
using proxy::cases::as_ipv6;
using proxy::cases::At;

constexpr auto kGateway = "10.180.0.254"; // n1 as its pods see it
constexpr auto kNode = "192.168.0.2";
constexpr auto kFirstClient = "10.0.1.1";
constexpr auto kFirstOutside = "203.0.113.32";
constexpr std::uint8_t kLocal = 2; // RTN_LOCAL

/// An IPv4 address and its IPv6 counterpart.
std::array<IpAddress, 2> both(const char *v4) {
  const auto ip = IpAddress::parse(v4).value();
  return {ip, as_ipv6(ip)};
}
std::array<Cidr, 2> both_networks(const char *v4) {
  const auto cidr = Cidr::parse(v4).value();
  return {cidr, as_ipv6(cidr)};
}

void add_addresses(RtnlBatch &batch, const std::string &link, const char *v4) {
  for (const auto &ip : both(v4))
    batch.add(AddAddress{.link = link, .address = {ip, ip.bits()}, .nodad = true});
}

/// To each network by `link`; through `gateway` (both families' addresses), if given.
void add_routes(RtnlBatch &batch, const std::string &link, const char *network,
                const char *gateway = nullptr, const char *source = nullptr) {
  const auto networks = both_networks(network);
  for (std::size_t i = 0; i < networks.size(); ++i) {
    Route route{.destination = networks[i]};
    if (gateway)
      route.gateway = both(gateway)[i];
    if (source)
      route.preferred_source = both(source)[i];
    route.onlink = gateway != nullptr;
    route.scope = gateway || networks[i].family() == Family::ipv6 ? 0 : 253;
    batch.add(AddRoute{.route = route, .link_name = link});
  }
}

Result<> write_all(const std::vector<std::pair<const char *, const char *>> &settings) {
  const Sysctl sysctl;
  for (const auto &[name, value] : settings) {
    const auto done = sysctl.write(name, value);
    if (!done && done.error().code() != Errc::not_found)
      return fail(Error(done.error()));
  }
  return {};
}

/// Whether packets to `ip` stay in the namespace of the calling thread.
Result<bool> is_own(const IpAddress &ip) {
  const UniqueFd fd(::socket(domain_of(ip.family()), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  auto to = KernelAddress::of({ip, Port(9)});
  return ::connect(fd.get(), to.get(), to.length) == 0 && local_of(fd.get()).ip == ip;
}

/// The kernel installs the route of a new IPv6 address by and by.
Result<> await_own(const NetNs &ns, const IpAddress &ip) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    SLUICE_ASSIGN(const bool own, ns.run([&] { return is_own(ip); }), "wait for " + ip.str());
    if (own)
      return {};
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Errc::timeout, "the kernel has no route for its own address " + ip.str());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

} // namespace

Result<std::unique_ptr<Net>> Net::create() {
  std::unique_ptr<Net> net(new Net);
  SLUICE_TRY(net->build(), "build the network of the packet cases");
  for (const auto &place : proxy::cases::places())
    if (place.at == At::pod || place.at == At::veth || place.at == At::remote ||
        place.at == At::outside)
      SLUICE_TRY(await_own(net->host_of(place.name).ns, both(place.address)[1]), place.name);
  for (const auto &ip : net->node_addresses_)
    SLUICE_TRY(await_own(net->node(), ip), "n1");
  for (const auto &[host, address] : {std::pair{"gateway", "192.168.0.1"},
                                      {"remote", "192.168.0.3"},
                                      {"q", "192.168.0.4"},
                                      {"outside", "192.168.0.5"}})
    SLUICE_TRY(await_own(net->hosts_.at(host).ns, both(address)[1]), host);
  return net;
}

Result<> Net::build() {
  for (const auto *name : {"n1", "lan", "gateway", "remote", "q", "outside"})
    SLUICE_TRY(add_host(name), name);
  RtnlBatch lan;
  lan.add(CreateBridge{.name = "lan", .up = true});
  SLUICE_TRY(apply("lan", lan), "lan");
  SLUICE_TRY(attach_to_lan("n1", kNode, {}), "n1");
  SLUICE_TRY(attach_to_lan("gateway", "192.168.0.1", {}), "gateway");
  SLUICE_TRY(attach_to_lan("q", "192.168.0.4", {"Q"}), "q");
  SLUICE_TRY(attach_to_lan("remote", "192.168.0.3", {"R", "R2", "A1", "B1", "C1", "A2"}), "remote");
  SLUICE_TRY(attach_to_lan("outside", "192.168.0.5", {"X", "XB", "W"}), "outside");
  SLUICE_TRY(build_node(), "n1");
  SLUICE_TRY(build_gateway(), "gateway");
  for (const auto &place : proxy::cases::places())
    if (place.at == At::pod)
      SLUICE_TRY(attach_pod(place.name, std::string("pod-") + place.name), place.name);
  SLUICE_TRY(attach_pod("V", "veth12"), "V");
  RtnlBatch many; // endpoints without number, clients without number
  for (const auto &network : both_networks("10.181.0.0/16"))
    many.add(AddRoute{.route = {.destination = network, .scope = 254, .type = kLocal},
                      .link_name = "lo"});
  return apply("remote", many);
}

Result<> Net::add_host(const std::string &name) {
  SLUICE_ASSIGN(auto ns, NetNs::create(), "make a namespace");
  const auto &made = hosts_.try_emplace(name, Host{name, std::move(ns)}).first->second;
  return made.ns.run([] {
    return write_all({{"net/ipv6/conf/default/accept_dad", "0"},
                      {"net/ipv6/conf/all/accept_dad", "0"},
                      {"net/ipv6/conf/default/accept_redirects", "0"},
                      {"net/ipv6/conf/default/router_solicitations", "0"},
                      {"net/ipv4/conf/all/accept_redirects", "0"},
                      {"net/ipv4/conf/default/accept_redirects", "0"},
                      {"net/ipv4/conf/all/send_redirects", "0"},
                      {"net/ipv4/conf/default/send_redirects", "0"},
                      {"net/ipv4/conf/all/rp_filter", "0"},
                      {"net/ipv4/conf/default/rp_filter", "0"},
                      {"net/ipv4/icmp_ratelimit", "0"},
                      {"net/ipv4/icmp_msgs_per_sec", "100000"},
                      {"net/ipv4/icmp_msgs_burst", "100000"},
                      {"net/ipv6/icmp/ratelimit", "0"}});
  });
}

Result<> Net::apply(const std::string &host, const RtnlBatch &batch) {
  SLUICE_ASSIGN(auto rtnl, hosts_.at(host).ns.run([] { return RtnlSocket::open(); }), host);
  SLUICE_TRY(rtnl.apply(batch), host);
  return {};
}

Result<> Net::attach_to_lan(const std::string &name, const char *address,
                            const std::vector<std::string> &own) {
  RtnlBatch lan;
  lan.add(CreateVeth{.name = "to-" + name,
                     .peer_name = "eth0",
                     .peer_netns_fd = hosts_.at(name).ns.fd(),
                     .master = LinkRef("lan")});
  SLUICE_TRY(apply("lan", lan), "link");
  RtnlBatch host;
  host.add(SetLink{.link = LinkRef("eth0"), .up = true});
  add_addresses(host, "eth0", address);
  for (const auto &place : own)
    add_addresses(host, "lo", proxy::cases::find_place(place)->address);
  if (name == "outside")
    for (int i = 0; i < kClients; ++i)
      add_addresses(host, "lo", IpAddress::parse(kFirstOutside).value().advanced(i).str().c_str());
  if (name != "n1") {
    add_routes(host, "eth0", (std::string(kNode) + "/32").c_str());
    if (name != "gateway")
      add_routes(host, "eth0", "0.0.0.0/0", kNode);
  }
  return apply(name, host);
}

Result<> Net::build_node() {
  SLUICE_TRY(node().run([] {
    return write_all({{"net/ipv4/ip_forward", "1"}, {"net/ipv6/conf/all/forwarding", "1"}});
  }),
             "sysctls");
  RtnlBatch batch;
  batch.add(CreateBridge{.name = "cni0", .up = true});
  add_addresses(batch, "eth0", "192.168.1.2");
  add_addresses(batch, "cni0", kGateway);
  for (const auto *neighbour : {"192.168.0.1", "192.168.0.3", "192.168.0.4", "192.168.0.5"})
    add_routes(batch, "eth0", (std::string(neighbour) + "/32").c_str());
  add_routes(batch, "eth0", "0.0.0.0/0", "192.168.0.1", kNode);
  add_routes(batch, "eth0", "10.180.1.0/24", "192.168.0.3", kNode);
  add_routes(batch, "eth0", "10.181.0.0/16", "192.168.0.3", kNode);
  add_routes(batch, "eth0", "10.180.1.9/32", "192.168.0.4", kNode);
  add_routes(batch, "eth0", "10.0.0.9/32", "192.168.0.5", kNode);
  add_routes(batch, "eth0", "203.0.113.0/24", "192.168.0.5", kNode);
  for (const auto *own : {kNode, "192.168.1.2", kGateway})
    for (const auto &ip : both(own))
      node_addresses_.push_back(ip);
  return apply("n1", batch);
}

Result<> Net::build_gateway() {
  RtnlBatch batch;
  for (const auto *network : {"10.0.0.0/8", "203.0.113.0/24", "198.51.100.0/24", "192.168.0.0/23"})
    add_routes(batch, "eth0", network, kNode);
  for (const auto &everything : both_networks("0.0.0.0/0"))
    batch.add(AddRoute{.route = {.destination = everything, .scope = 254, .type = kLocal},
                       .link_name = "lo"});
  return apply("gateway", batch);
}

Result<> Net::attach_pod(const std::string &name, const std::string &link) {
  SLUICE_TRY(add_host(name), "namespace");
  const bool bridged = link.rfind("pod-", 0) == 0;
  CreateVeth veth{.name = link, .peer_name = "eth0", .peer_netns_fd = hosts_.at(name).ns.fd()};
  if (bridged)
    veth.master = LinkRef("cni0");
  RtnlBatch node;
  node.add(veth);
  const auto *address = proxy::cases::find_place(name)->address;
  const std::string out = bridged ? "cni0" : link;
  if (bridged) // as every CNI plugin does: br_netfilter bridges what is translated to the same port
    node.add(SetLink{.link = link, .hairpin = true});
  else
    add_addresses(node, link, kGateway);
  add_routes(node, out, (std::string(address) + "/32").c_str(), nullptr, kGateway);
  if (name == "P")
    add_routes(node, out, "10.0.1.0/24", address, kGateway);
  SLUICE_TRY(apply("n1", node), "link");
  RtnlBatch pod;
  pod.add(SetLink{.link = LinkRef("eth0"), .up = true});
  add_addresses(pod, "eth0", address);
  if (name == "P")
    for (int i = 0; i < kClients; ++i)
      add_addresses(pod, "lo", IpAddress::parse(kFirstClient).value().advanced(i).str().c_str());
  add_routes(pod, "eth0", (std::string(kGateway) + "/32").c_str());
  add_routes(pod, "eth0", "0.0.0.0/0", kGateway, address);
  return apply(name, pod);
}

const Host &Net::host_of(const std::string &place) const {
  if (const auto own = hosts_.find(place); own != hosts_.end())
    return own->second;
  const auto *known = proxy::cases::find_place(place);
  if (!known && !place.empty() && place.back() == '6')
    return host_of(place.substr(0, place.size() - 1));
  if (!known)
    return hosts_.at("remote");
  switch (known->at) {
  case At::node:
    return hosts_.at("n1");
  case At::remote:
    return hosts_.at(place == "Q" ? "q" : "remote");
  default:
    return hosts_.at("outside");
  }
}

Result<> Net::hold(const std::vector<IpAddress> &addresses) {
  const auto holds = [](const std::vector<IpAddress> &list, const IpAddress &ip) {
    return std::find(list.begin(), list.end(), ip) != list.end();
  };
  RtnlBatch batch;
  for (const auto &ip : held_)
    if (!holds(addresses, ip))
      batch.add(DeleteAddress{.link = LinkRef("lo"), .address = {ip, ip.bits()}});
  for (const auto &ip : addresses)
    if (!holds(held_, ip))
      batch.add( // a route to it by lo would refuse packets until the local one is there
          AddAddress{.link = LinkRef("lo"), .address = {ip, ip.bits()}, .noprefixroute = true});
  held_ = addresses;
  if (batch.empty())
    return {};
  SLUICE_TRY(apply("n1", batch), "hold");
  for (const auto &ip : held_)
    SLUICE_TRY(await_own(node(), ip), "hold");
  return {};
}

std::optional<IpAddress> Net::client(const std::string &place, int index, Family family) {
  if (place != "P" && place != "X")
    return std::nullopt;
  const auto first = IpAddress::parse(place == "P" ? kFirstClient : kFirstOutside).value();
  const auto ip = first.advanced(index);
  return family == Family::ipv4 ? ip : as_ipv6(ip);
}

} // namespace sluice::integration::packets
