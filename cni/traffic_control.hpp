#pragma once
// Queueing disciplines through rtnetlink: the few that slow a container down.

#include "cni/bandwidth_config.hpp"
#include "kernel/rtnl/netlink_socket.hpp"

#include <optional>
#include <string>

namespace sluice::cni {

class TrafficControl {
public:
  /// In the calling thread's namespace.
  static Result<TrafficControl> open();

  /// An ifb device, up. already_exists if the name is taken.
  Result<> create_ifb(const std::string &name, std::uint32_t mtu_bytes, const std::string &alias);
  /// tc qdisc add dev LINK root handle 1: tbf ...; already_exists if the link has a root discipline
  /// that is not the kernel's default.
  Result<> add_token_bucket(kernel::IfIndex link, const TokenBucket &bucket);
  /// tc qdisc add dev LINK root handle 1: htb ..., class 1:48 at the bucket's rate (and twice of it
  /// for a burst), class 1:1 without limit, and a u32 filter by destination for each subnet.
  /// Nothing is left of it on an error.
  Result<> add_classes(kernel::IfIndex link, const TokenBucket &bucket, const SubnetChoice &choice);
  /// Of either.
  Result<> remove_root(kernel::IfIndex link);
  /// tc qdisc add dev LINK handle ffff: ingress
  Result<> add_ingress(kernel::IfIndex link);
  /// With all its filters.
  Result<> remove_ingress(kernel::IfIndex link);
  /// tc filter add dev LINK parent ffff: prio 1 u32 match u32 0 0 flowid 1:1
  ///   action mirred egress redirect dev TO
  Result<> add_redirect(kernel::IfIndex link, kernel::IfIndex to);

  /// The token bucket at the root of the link; nullopt if there is none.
  Result<std::optional<TokenBucket>> read_token_bucket(kernel::IfIndex link);
  /// Class 1:48, without its limit; nullopt if there is none.
  Result<std::optional<TokenBucket>> read_shaped_class(kernel::IfIndex link);
  Result<bool> has_ingress(kernel::IfIndex link);

private:
  explicit TrafficControl(kernel::rtnl::NetlinkSocket socket) : socket_(std::move(socket)) {}
  Result<> request(kernel::rtnl::Message message, const std::string &doing);
  template <class Visit> Result<> for_each_discipline(kernel::IfIndex link, Visit visit);
  kernel::rtnl::NetlinkSocket socket_;
};

} // namespace sluice::cni
