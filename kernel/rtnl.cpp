#include "kernel/rtnl.hpp"

#include "kernel/rtnl/decode.hpp"
#include "kernel/rtnl/encode.hpp"
#include "kernel/rtnl/netlink_socket.hpp"

#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sluice::kernel {
namespace {

// The kernel takes more, but its answers must fit into the socket's receive buffer.
constexpr std::size_t kMaxBytes = 32 * 1024;
constexpr std::size_t kMaxMessages = 256;

unsigned char af_of(Family family) noexcept { return family == Family::ipv4 ? AF_INET : AF_INET6; }

std::string name_in_errors(const LinkRef &link) {
  if (const auto *index = std::get_if<IfIndex>(&link))
    return "link number " + std::to_string(index->value);
  return "link \"" + std::get<std::string>(link) + "\"";
}

} // namespace

Result<> Rtnl::apply(const RtnlBatch &batch) {
  auto refused = apply_each(batch);
  if (!refused)
    return fail(std::move(refused.error()));
  if (!refused->empty())
    return fail(std::move(refused->front().error));
  return {};
}

Result<std::vector<LinkAddress>> Rtnl::read_addresses_of(IfIndex link) {
  auto addresses = read_addresses();
  if (addresses)
    std::erase_if(*addresses, [&](const LinkAddress &address) { return address.link != link; });
  return addresses;
}

Result<IfIndex> Rtnl::read_index(const std::string &link) {
  SLUICE_ASSIGN(const auto found, read_link(link), "look up a link");
  return found.index;
}

Result<Rtnl::LinkWithAddresses> Rtnl::read_link_with_addresses(const std::string &link) {
  LinkWithAddresses both;
  SLUICE_ASSIGN(both.link, read_link(link), "read a link and its addresses");
  SLUICE_ASSIGN(both.addresses, read_addresses_of(both.link.index),
                "read a link and its addresses");
  return both;
}

struct RtnlSocket::Impl {
  explicit Impl(rtnl::NetlinkSocket s) : socket(std::move(s)) {}

  Result<Link> read_link(const LinkRef &link);
  Result<> flush(const RtnlBatch &batch);
  Result<> send_op(const RtnlBatch &batch, std::size_t operation);
  Result<bool> resolve_names(const RtnlBatch &batch, std::size_t operation);
  void refuse(std::size_t operation, Error error) {
    refused.push_back({operation, std::move(error)});
  }

  /// `add` appends what one message holds to `into`.
  template <class Value, class Header, class Add>
  Result<> dump(std::uint16_t type, const Header &header, const std::string &doing,
                std::vector<Value> &into, Add add) {
    rtnl::Message request(type, 0, header);
    const auto kept = into.size();
    return socket.dump(
        request, doing,
        [&into, kept] { into.erase(into.begin() + static_cast<std::ptrdiff_t>(kept), into.end()); },
        add);
  }

  rtnl::NetlinkSocket socket;
  // The state of one apply_each.
  std::map<std::uint32_t, std::size_t> operation_of; ///< by sequence number, what is queued
  rtnl::Indexes indexes;
  std::vector<Refusal> refused;
};

/// What is queued goes out; refusals are noted.
Result<> RtnlSocket::Impl::flush(const RtnlBatch &batch) {
  auto answers = socket.send();
  if (!answers)
    return fail(std::move(answers.error()));
  for (const auto &answer : *answers) {
    const auto operation = operation_of.at(answer.sequence);
    refuse(operation, rtnl::error_of(answer, to_string(batch.ops()[operation])));
  }
  operation_of.clear();
  return {};
}

/// False if a name is unknown: the operation is refused then.
Result<bool> RtnlSocket::Impl::resolve_names(const RtnlBatch &batch, std::size_t operation) {
  const auto &op = batch.ops()[operation];
  for (const auto &name : rtnl::names_to_resolve(op)) {
    if (indexes.count(name) != 0)
      continue;
    SLUICE_TRY(flush(batch), to_string(op));
    auto link = read_link(LinkRef(name));
    if (!link) {
      refuse(operation, Error(link.error()).in(to_string(op)));
      return false;
    }
    indexes.emplace(name, link->index);
  }
  return true;
}

Result<> RtnlSocket::Impl::send_op(const RtnlBatch &batch, std::size_t operation) {
  const auto &op = batch.ops()[operation];
  auto known = resolve_names(batch, operation);
  if (!known)
    return fail(std::move(known.error()));
  if (!*known)
    return {};
  auto messages = rtnl::encode(op, indexes);
  if (!messages) {
    refuse(operation, Error(messages.error()).in(to_string(op)));
    return {};
  }
  for (auto &message : *messages) {
    if (&message != &messages->front()) {
      SLUICE_TRY(flush(batch), to_string(op));
      if (!refused.empty() && refused.back().operation == operation)
        return {};
    }
    operation_of.emplace(socket.queue(message), operation);
  }
  if (rtnl::changes_names(op))
    indexes.clear();
  if (socket.queued_bytes() >= kMaxBytes || socket.queued_messages() >= kMaxMessages)
    SLUICE_TRY(flush(batch), "apply");
  return {};
}

Result<Link> RtnlSocket::Impl::read_link(const LinkRef &link) {
  ifinfomsg header{};
  if (const auto *index = std::get_if<IfIndex>(&link))
    header.ifi_index = static_cast<int>(index->value);
  rtnl::Message request(RTM_GETLINK, 0, header);
  if (const auto *name = std::get_if<std::string>(&link)) {
    if (name->empty() || name->size() >= IFNAMSIZ)
      return fail(Errc::not_found, "read " + name_in_errors(link) + ": no link has such a name");
    request.put(IFLA_IFNAME, *name);
  }
  std::optional<Link> found;
  auto asked = socket.ask(std::move(request), "read " + name_in_errors(link),
                          [&](const nlmsghdr &message) { found = rtnl::decode_link(message); });
  if (!asked)
    return fail(std::move(asked.error()));
  if (!found)
    return fail(Errc::kernel, "read " + name_in_errors(link) + ": the answer cannot be read");
  return *found;
}

RtnlSocket::RtnlSocket(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
RtnlSocket::RtnlSocket(RtnlSocket &&) noexcept = default;
RtnlSocket &RtnlSocket::operator=(RtnlSocket &&) noexcept = default;
RtnlSocket::~RtnlSocket() = default;

Result<RtnlSocket> RtnlSocket::open() {
  auto socket = rtnl::NetlinkSocket::open();
  if (!socket)
    return fail(std::move(socket.error()));
  return RtnlSocket(std::make_unique<Impl>(std::move(*socket)));
}

Result<std::vector<Refusal>> RtnlSocket::apply_each(const RtnlBatch &batch) {
  impl_->operation_of.clear();
  impl_->indexes.clear();
  impl_->refused.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.has_barrier_before(i)) {
      SLUICE_TRY(impl_->flush(batch), "apply");
      if (!impl_->refused.empty())
        break;
    }
    SLUICE_TRY(impl_->send_op(batch, i), "apply");
  }
  SLUICE_TRY(impl_->flush(batch), "apply");
  // A name that was looked up is refused before what is queued in front of it.
  std::stable_sort(impl_->refused.begin(), impl_->refused.end(),
                   [](const Refusal &a, const Refusal &b) { return a.operation < b.operation; });
  return std::move(impl_->refused);
}

Result<Link> RtnlSocket::read_link(const LinkRef &link) { return impl_->read_link(link); }

Result<std::vector<Link>> RtnlSocket::read_links() {
  std::vector<Link> links;
  auto read =
      impl_->dump(RTM_GETLINK, ifinfomsg{}, "read the links", links, [&](const nlmsghdr &message) {
        if (auto link = rtnl::decode_link(message))
          links.push_back(std::move(*link));
      });
  if (!read)
    return fail(std::move(read.error()));
  return links;
}

Result<std::vector<LinkAddress>> RtnlSocket::read_addresses() {
  return read_addresses_of(IfIndex(0));
}

Result<std::vector<LinkAddress>> RtnlSocket::read_addresses_of(IfIndex link) {
  std::vector<LinkAddress> addresses;
  ifaddrmsg header{};
  header.ifa_index = link.value;
  auto read = impl_->dump(RTM_GETADDR, header, "read the addresses", addresses,
                          [&](const nlmsghdr &message) {
                            if (auto address = rtnl::decode_address(message))
                              addresses.push_back(*address);
                          });
  if (!read)
    return fail(std::move(read.error()));
  return addresses;
}

Result<IfIndex> RtnlSocket::read_index(const std::string &link) {
  const auto doing = "look up " + name_in_errors(link);
  ifreq request{};
  if (link.empty() || link.size() >= sizeof request.ifr_name)
    return fail(Errc::not_found, doing + ": no link has such a name");
  link.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(impl_->socket.fd(), SIOCGIFINDEX, &request) != 0)
    return fail(Error::from_errno(errno, doing));
  return IfIndex(static_cast<std::uint32_t>(request.ifr_ifindex));
}

namespace {

/// IFF_LOWER_UP is set with the carrier, IFF_RUNNING is what the link watcher makes of it. A link
/// that it has not seen yet counts as running.
bool is_settled(const ifinfomsg &link) {
  constexpr unsigned kLowerUp = 1U << 16; // <linux/if.h> does not go with <net/if.h>
  return (link.ifi_flags & IFF_RUNNING) != 0 && (link.ifi_flags & kLowerUp) != 0;
}

} // namespace

void RtnlSocket::settle(const std::string &link) {
  ethtool_value question{ETHTOOL_GLINK, 0};
  ifreq request{};
  if (link.size() >= sizeof request.ifr_name)
    return;
  link.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char *>(&question);
  (void)::ioctl(impl_->socket.fd(), SIOCETHTOOL, &request);
}

Result<Rtnl::LinkWithAddresses> RtnlSocket::read_link_with_addresses(const std::string &link) {
  const auto doing = "read " + name_in_errors(link) + " and its addresses";
  SLUICE_ASSIGN(const auto index, read_index(link), doing);
  ifinfomsg link_header{};
  link_header.ifi_index = static_cast<int>(index.value);
  ifaddrmsg address_header{};
  address_header.ifa_index = index.value;
  rtnl::Message link_request(RTM_GETLINK, 0, link_header), request(RTM_GETADDR, 0, address_header);
  link_request.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  std::optional<Link> found;
  LinkWithAddresses both;
  SLUICE_TRY(impl_->socket.dump(
                 request, doing, [&] { both.addresses.clear(); },
                 [&](const nlmsghdr &message) {
                   if (message.nlmsg_type == RTM_NEWLINK) {
                     found = rtnl::decode_link(message);
                     both.settled =
                         is_settled(*static_cast<const ifinfomsg *>(NLMSG_DATA(&message)));
                   } else if (auto address = rtnl::decode_address(message))
                     both.addresses.push_back(*address);
                 },
                 &link_request),
             doing);
  if (!found)
    return fail(Errc::kernel, doing + ": the answer cannot be read");
  both.link = std::move(*found);
  return both;
}

Result<std::vector<Route>> RtnlSocket::read_routes(Family family) {
  std::vector<Route> routes;
  rtmsg header{};
  header.rtm_family = af_of(family);
  auto read =
      impl_->dump(RTM_GETROUTE, header, "read the routes", routes, [&](const nlmsghdr &message) {
        for (auto &route : rtnl::decode_routes(message))
          routes.push_back(std::move(route));
      });
  if (!read)
    return fail(std::move(read.error()));
  return routes;
}

Result<std::vector<Neighbour>> RtnlSocket::read_neighbours(Family family) {
  std::vector<Neighbour> neighbours;
  ndmsg header{};
  header.ndm_family = af_of(family);
  // The proxied ones are a table of their own.
  for (const auto flags : {std::uint8_t{0}, std::uint8_t{NTF_PROXY}}) {
    header.ndm_flags = flags;
    auto read = impl_->dump(RTM_GETNEIGH, header, "read the neighbours", neighbours,
                            [&](const nlmsghdr &message) {
                              if (auto neighbour = rtnl::decode_neighbour(message))
                                neighbours.push_back(*neighbour);
                            });
    if (!read)
      return fail(std::move(read.error()));
  }
  return neighbours;
}

} // namespace sluice::kernel
