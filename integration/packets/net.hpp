#pragma once
// The network that the packet cases need: node n1, its pods, and everybody else, each a network
// namespace. Built over rtnetlink, without any program.
//
//   pods P P2 B L L2 L3 L4 --- cni0 +----+ eth0 --- lan (bridge) --- gateway  192.168.0.1
//   pod V ------------------ veth12 | n1 |                       --- remote   192.168.0.3 (n2's
//   pods)
//                                   +----+                       --- q        192.168.0.4 (pod Q)
//                                                                --- outside  192.168.0.5 (X XB W)
//
// Nobody has a route to anybody but through n1, so that every answer passes it. The gateway is n1's
// default route and takes every address for its own: a packet that the proxy does not touch is
// answered there.

#include "kernel/netns.hpp"
#include "kernel/rtnl.hpp"
#include "proxy/cases/places.hpp"

#include <map>

namespace sluice::integration::packets {

/// A namespace with a name.
struct Host {
  std::string name;
  kernel::NetNs ns;
};

class Net {
public:
  static Result<std::unique_ptr<Net>> create();

  const kernel::NetNs &node() const { return hosts_.at("n1").ns; }
  /// Where a place's address lives; n1 for its own.
  const Host &host_of(const std::string &place) const;
  const std::map<std::string, Host> &hosts() const noexcept { return hosts_; }

  /// n1's own addresses of both families, as an endpoint may see them behind a masquerade.
  const std::vector<IpAddress> &node_addresses() const noexcept { return node_addresses_; }
  /// Gives n1 these addresses beside its own, on its loopback.
  Result<> hold(const std::vector<IpAddress> &addresses);

  /// The `index`-th (from 0, below kClients) of the addresses that stand for many clients at P or
  /// X.
  static constexpr int kClients = 32;
  static std::optional<IpAddress> client(const std::string &place, int index, Family family);

private:
  Net() = default;
  Result<> build();
  Result<> add_host(const std::string &name);
  Result<> attach_pod(const std::string &name, const std::string &link);
  Result<> attach_to_lan(const std::string &name, const char *address,
                         const std::vector<std::string> &own);
  Result<> build_node();
  Result<> build_gateway();
  Result<> apply(const std::string &host, const kernel::RtnlBatch &batch);

  std::map<std::string, Host> hosts_;
  std::vector<IpAddress> node_addresses_, held_;
};

} // namespace sluice::integration::packets
