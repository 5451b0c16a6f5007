#pragma once
// Links, addresses, routes and neighbours through rtnetlink, with the attribute functions of
// libnl-3 alone (the CNI binary is static and small). The write side is a value: a RtnlBatch is
// printed, counted and compared like any other, and goes to the kernel in as few sendmsg(2) calls
// as fit.

#include "kernel/netns.hpp"
#include "net/ip_address.hpp"
#include "net/mac_address.hpp"
#include "net/strong.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace sluice::kernel {

using IfIndex = Strong<struct IfIndexTag, std::uint32_t>;

/// Routes and rules that are ours carry this rtm_protocol (DESIGN.md section 7).
inline constexpr std::uint8_t kRouteProtocol = 83;

// ---- what the kernel holds -------------------------------------------------------------------

struct Link {
  IfIndex index;
  std::string name;
  std::string kind; ///< "veth", "bridge", "vxlan", "dummy"; empty for hardware and loopback
  std::string alias;
  MacAddress mac;
  std::uint32_t mtu_bytes = 0;
  bool up = false; ///< IFF_UP
  bool promiscuous = false;
  bool all_multicast = false; ///< IFF_ALLMULTI
  std::uint32_t tx_queue_packets = 0;
  std::optional<IfIndex> master;      ///< the bridge it is a port of
  std::optional<IfIndex> peer;        ///< IFLA_LINK: the other end of a veth, in its own namespace
  std::optional<int> peer_netns_id;   ///< IFLA_LINK_NETNSID
  bool hairpin = false;               ///< bridge port flag; false for what is no port
  bool isolated = false;              ///< the same
  bool netfilter = false;             ///< of a bridge: br_netfilter is on for IPv4 and IPv6
  std::optional<bool> vlan_filtering; ///< of a bridge; nullopt if the kernel cannot filter VLANs
  std::uint16_t default_pvid = 0;     ///< of a bridge: the VLAN that new ports join; 0: none
  friend bool operator==(const Link &, const Link &) = default;
};

struct LinkAddress {
  IfIndex link;
  InterfaceAddress address;
  std::uint8_t scope = 0;  ///< RT_SCOPE_*
  std::uint32_t flags = 0; ///< IFA_F_*
  friend auto operator<=>(const LinkAddress &, const LinkAddress &) = default;
};

struct Route {
  Cidr destination; ///< a /0 is the default route
  std::optional<IpAddress> gateway;
  IfIndex link; ///< 0: none (blackhole, or to be found by the gateway)
  std::optional<IpAddress> preferred_source;
  std::uint32_t table = 254;  ///< RT_TABLE_MAIN
  std::uint32_t priority = 0; ///< metric; 0: the kernel's default
  std::uint8_t protocol = kRouteProtocol;
  std::uint8_t scope = 0;      ///< RT_SCOPE_UNIVERSE; RT_SCOPE_LINK is 253
  std::uint8_t type = 1;       ///< RTN_UNICAST; RTN_LOCAL 2, RTN_BLACKHOLE 6
  bool onlink = false;         ///< RTNH_F_ONLINK
  std::uint32_t mtu_bytes = 0; ///< RTAX_MTU; 0: not set
  std::uint32_t advmss = 0;    ///< RTAX_ADVMSS; 0: not set
  friend auto operator<=>(const Route &, const Route &) = default;
};

struct Neighbour {
  IfIndex link;
  IpAddress ip;
  MacAddress mac;
  std::uint16_t state = 0x80; ///< NUD_PERMANENT
  bool proxy = false;         ///< NTF_PROXY: answer for `ip` on `link`; `mac` is unused
  friend auto operator<=>(const Neighbour &, const Neighbour &) = default;
};

// ---- what is asked of the kernel -------------------------------------------------------------

/// A link is named by index or by name. In SetLink (without new_name) and DeleteLink the kernel
/// looks the name up; everywhere else a name costs one request more (a link that the same batch
/// made splits the batch there: name it by an index asked for at its birth where speed counts).
using LinkRef = std::variant<IfIndex, std::string>;

/// RTM_NEWLINK with NLM_F_CREATE|NLM_F_EXCL. An alias is a second message: the kernel ignores it at
/// the birth of a link.
struct CreateBridge {
  std::string name;
  std::uint32_t mtu_bytes = 0; ///< 0: the kernel's default
  std::optional<MacAddress> mac;
  bool up = true;
  std::string alias;
  /// Packets that it forwards between its ports pass iptables, nftables and conntrack of IP
  /// (br_netfilter), whatever the namespace's sysctl says.
  bool netfilter = false;
  /// EOPNOTSUPP, and no bridge, without CONFIG_BRIDGE_VLAN_FILTERING.
  bool vlan_filtering = false;
};
/// Both ends in one message; the peer is born in `peer_netns_fd` (never moved: a move costs an
/// rcu_barrier, reference cni.md 3.2). IFF_UP on the peer is refused by the kernel here: bring it
/// up with SetLink inside its namespace.
struct CreateVeth {
  std::string name;
  std::string peer_name;
  std::optional<int> peer_netns_fd; ///< borrowed; must stay open until the batch is applied
  std::uint32_t mtu_bytes = 0;      ///< of both ends; 0: the kernel's default
  std::optional<MacAddress> mac, peer_mac;
  std::optional<IfIndex> index;        ///< ask for this index, so that later messages can name it
  std::optional<LinkRef> master;       ///< a bridge that the host end joins at birth
  std::optional<std::uint32_t> queues; ///< rx and tx queues of both ends
  bool up = true;                      ///< the host end
  std::string alias;
};
/// RTM_NEWLINK without create flags: only what is set changes.
struct SetLink {
  LinkRef link;
  std::optional<bool> up;
  std::optional<std::uint32_t> mtu_bytes;
  std::optional<MacAddress> mac;
  std::optional<std::string> new_name;
  std::optional<std::string> alias;
  std::optional<LinkRef> master; ///< IfIndex{0} releases it
  std::optional<bool> promiscuous, all_multicast;
  std::optional<std::uint32_t> tx_queue_packets; ///< IFLA_TXQLEN
  // Flags of a bridge port (IFLA_INFO_SLAVE_DATA); a second message if more than the alias is set
  // too.
  std::optional<bool> hairpin, isolated;
  /// Of a bridge: as CreateBridge::netfilter. A message of its own if anything else is set too.
  std::optional<bool> netfilter;
};
struct DeleteLink {
  LinkRef link;
};
struct AddAddress {
  LinkRef link;
  InterfaceAddress address;
  bool nodad = true;    ///< IPv6: usable at once (IFA_F_NODAD)
  bool replace = false; ///< NLM_F_REPLACE instead of NLM_F_EXCL
  bool noprefixroute = false;
  std::uint8_t scope = 0;
};
struct DeleteAddress {
  LinkRef link;
  InterfaceAddress address;
};
enum class Existing : std::uint8_t {
  refuse,  ///< NLM_F_CREATE|NLM_F_EXCL: EEXIST if one is there
  replace, ///< NLM_F_CREATE|NLM_F_REPLACE
  append,  ///< NLM_F_CREATE|NLM_F_APPEND (ECMP beside one that is there)
};
struct AddRoute {
  Route route;
  Existing existing = Existing::refuse;
  std::optional<std::string> link_name; ///< used when route.link is 0
};
/// Matches destination, table, type, protocol (0: any), and of gateway, link, preferred_source and
/// priority those that are set.
struct DeleteRoute {
  Route route;
};
/// NLM_F_CREATE|NLM_F_REPLACE: one that is there is changed.
struct AddNeighbour {
  Neighbour neighbour;
};
struct DeleteNeighbour {
  Neighbour neighbour;
};
/// RTM_SETLINK of the bridge family: a port joins a VLAN, 1 to 4094.
struct AddPortVlan {
  LinkRef port;
  std::uint16_t vlan = 0;
  bool native = false; ///< frames without a tag belong to it, in both directions (PVID, untagged)
};
/// ENOENT if the port is not in it.
struct DeletePortVlan {
  LinkRef port;
  std::uint16_t vlan = 0;
};

using RtnlOp =
    std::variant<CreateBridge, CreateVeth, SetLink, DeleteLink, AddAddress, DeleteAddress, AddRoute,
                 DeleteRoute, AddNeighbour, DeleteNeighbour, AddPortVlan, DeletePortVlan>;

/// In the words of ip(8): "route add 10.244.1.0/24 via 192.0.2.12 proto 83".
std::string to_string(const RtnlOp &op);

/// Operations in order. Rtnetlink is no transaction, and it does not stop at a message that it
/// refuses: operations that come after it are tried too, unless a barrier stands between.
class RtnlBatch {
public:
  RtnlBatch &add(RtnlOp op) {
    ops_.push_back(std::move(op));
    return *this;
  }
  /// What follows is sent only if everything before it was accepted. Costs one sendmsg(2) more. For
  /// operations that would hit somebody else's object if an earlier one failed: a name that was
  /// taken, for example.
  RtnlBatch &barrier() {
    barriers_.insert(ops_.size());
    return *this;
  }
  const std::vector<RtnlOp> &ops() const noexcept { return ops_; }
  bool has_barrier_before(std::size_t operation) const { return barriers_.count(operation) != 0; }
  bool empty() const noexcept { return ops_.empty(); }
  std::size_t size() const noexcept { return ops_.size(); }
  /// One line an operation; a barrier is no line.
  std::string str() const;

private:
  std::vector<RtnlOp> ops_;
  std::set<std::size_t> barriers_;
};

/// One operation that the kernel refused: "route add 10.1.2.0/24 via 10.9.9.9 proto 83 (kernel:
/// Nexthop has invalid gateway): Network is unreachable".
struct Refusal {
  std::size_t operation; ///< index in RtnlBatch::ops
  Error error;
};

/// What agents program against; `RtnlSocket` is the kernel, `fake::Rtnl` a stateful stand-in that
/// keeps the kernel's rules (EEXIST, ENODEV, ...). One instance per namespace. Not thread-safe.
class Rtnl {
public:
  virtual ~Rtnl() = default;
  /// Tries every operation (up to a barrier with a refusal before it) and returns the refusals in
  /// order. An error only if the conversation itself broke; what was done then is unknown.
  virtual Result<std::vector<Refusal>> apply_each(const RtnlBatch &batch) = 0;
  /// As apply_each; the first refusal is the error. Later operations may have been done: put a
  /// barrier where that would hurt.
  Result<> apply(const RtnlBatch &batch);
  virtual Result<std::vector<Link>> read_links() = 0;
  /// not_found if there is none.
  virtual Result<Link> read_link(const LinkRef &link) = 0;
  virtual Result<std::vector<LinkAddress>> read_addresses() = 0;
  /// not_found if there is none. The cheapest question.
  virtual Result<IfIndex> read_index(const std::string &link);
  /// The kernel notes that a link got its carrier and acts on it later, from a work queue: until
  /// then a link that was up before has no queue, and its bridge does not forward to it. This has
  /// the kernel act now (ethtool's question for the carrier does so). Failures do not matter.
  virtual void settle(const std::string & /*link*/) {}
  /// not_found if there is none. One question for both.
  struct LinkWithAddresses {
    Link link;
    std::vector<LinkAddress> addresses;
    bool settled = false; ///< the link has its carrier, and `settle` would change nothing
  };
  virtual Result<LinkWithAddresses> read_link_with_addresses(const std::string &link);
  /// Of one link; the kernel looks at no other.
  virtual Result<std::vector<LinkAddress>> read_addresses_of(IfIndex link);
  /// Every table, every protocol; the caller filters by `protocol`. A route with several next hops
  /// is several elements here. IPv6 multicast and cloned routes are left out.
  virtual Result<std::vector<Route>> read_routes(Family family) = 0;
  /// Those in the cache and the proxied ones.
  virtual Result<std::vector<Neighbour>> read_neighbours(Family family) = 0;
};

/// A rtnetlink socket of the namespace it was opened in.
class RtnlSocket final : public Rtnl {
public:
  /// In the calling thread's namespace. For another: `ns.run([] { return RtnlSocket::open(); })`.
  static Result<RtnlSocket> open();
  RtnlSocket(RtnlSocket &&) noexcept;
  RtnlSocket &operator=(RtnlSocket &&) noexcept;
  ~RtnlSocket() override;

  Result<std::vector<Refusal>> apply_each(const RtnlBatch &batch) override;
  Result<std::vector<Link>> read_links() override;
  Result<Link> read_link(const LinkRef &link) override;
  Result<std::vector<LinkAddress>> read_addresses() override;
  Result<IfIndex> read_index(const std::string &link) override;
  void settle(const std::string &link) override;
  Result<LinkWithAddresses> read_link_with_addresses(const std::string &link) override;
  Result<std::vector<LinkAddress>> read_addresses_of(IfIndex link) override;
  Result<std::vector<Route>> read_routes(Family family) override;
  Result<std::vector<Neighbour>> read_neighbours(Family family) override;

private:
  struct Impl;
  explicit RtnlSocket(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kernel
