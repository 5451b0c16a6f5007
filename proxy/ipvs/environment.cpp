#include "proxy/ipvs/environment.hpp"

#include "kernel/conntrack/conntrack.hpp"
#include "kernel/files.hpp"
#include "kernel/mark_rule.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace sluice::proxy::ipvs {
namespace {

constexpr std::uint32_t kRoutingTable = 83;
/// Behind the table `local`, before the tables that lead away.
constexpr std::uint32_t kRulePriority = 830;
constexpr kernel::IfIndex kLoopback(1);
constexpr std::uint8_t kLocalRoute = 2, kHostScope = 254; // RTN_LOCAL, RT_SCOPE_HOST

/// Packets of translated connections can be masqueraded; the connections of an endpoint that was
/// removed end with their next packet; a client that takes its source port again is
/// scheduled anew and does not stay with its first endpoint for good.
constexpr std::array kParameters{std::pair{"net/ipv4/vs/conntrack", "1"},
                                 std::pair{"net/ipv4/vs/expire_nodest_conn", "1"},
                                 std::pair{"net/ipv4/vs/conn_reuse_mode", "1"}};
/// Only the device that has an address answers for it, and asks with one of its own.
constexpr std::array kStrictArp{std::pair{"net/ipv4/conf/all/arp_ignore", "1"},
                                std::pair{"net/ipv4/conf/all/arp_announce", "2"}};

std::optional<std::uint32_t> hex_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, 16);
  return error == std::errc() && stopped == end ? std::optional(value) : std::nullopt;
}

/// 0A000001 or 2001:0db8:0000:...
std::optional<IpAddress> connection_address(const std::string &text) {
  if (text.find(':') != std::string::npos) {
    const auto parsed = IpAddress::parse(text);
    return parsed ? std::optional(*parsed) : std::nullopt;
  }
  const auto number = hex_number(text);
  return number ? std::optional(IpAddress::from_v4(*number)) : std::nullopt;
}

class KernelEnvironment final : public Environment {
public:
  KernelEnvironment(Family family, const EnvironmentOptions &options)
      : rule_{family, options.divertBit, options.divertBit, kRoutingTable, kRulePriority},
        own_ct_bit_(options.ownCtBit), parameters_(kParameters.begin(), kParameters.end()) {
    if (options.strictArp)
      parameters_.insert(parameters_.end(), kStrictArp.begin(), kStrictArp.end());
    const std::uint8_t zeros[16] = {};
    const auto any = IpAddress::from_bytes({zeros, family == Family::ipv4 ? 4U : 16U});
    route_ = {.destination = Cidr(any, 0),
              .link = kLoopback,
              .table = kRoutingTable,
              .scope = family == Family::ipv4 ? kHostScope : std::uint8_t{0},
              .type = kLocalRoute};
  }

  Result<> prepare() override {
    for (const auto &[name, value] : parameters_)
      SLUICE_TRY(kernel::Sysctl().write(name, value), "prepare for IPVS");
    SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "prepare for IPVS");
    SLUICE_ASSIGN(const auto refused,
                  rtnl.apply_each(kernel::RtnlBatch().add(kernel::AddRoute{.route = route_})),
                  "prepare for IPVS");
    if (!refused.empty() && refused.front().error.code() != Errc::already_exists)
      return fail(Error(refused.front().error).in("prepare for IPVS"));
    SLUICE_TRY(kernel::add_mark_rule(rule_), "prepare for IPVS");
    return {};
  }

  Result<std::vector<std::string>> differences() override {
    std::vector<std::string> found;
    for (const auto &[name, wanted] : parameters_)
      if (const auto value = kernel::Sysctl().read(name); !value || *value != wanted)
        found.push_back(std::string("parameter ") + name + " is not " + wanted);
    SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "read back");
    SLUICE_ASSIGN(const auto routes, rtnl.read_routes(rule_.family), "read back");
    if (std::none_of(routes.begin(), routes.end(), [&](const kernel::Route &route) {
          return route.table == kRoutingTable && route.type == kLocalRoute &&
                 route.destination == route_.destination;
        }))
      found.push_back("routing table 83 has no local default route");
    SLUICE_ASSIGN(const bool ruled, kernel::has_mark_rule(rule_), "read back");
    if (!ruled)
      found.push_back("the routing rule for marked packets is missing");
    return found;
  }

  Result<OpenConnections> open_connections() override {
    SLUICE_ASSIGN(const auto text, kernel::read_file("/proc/thread-self/net/ip_vs_conn"),
                  "look for connections of IPVS");
    return open_connections_in(text, rule_.family);
  }

  Result<> remove() override {
    SLUICE_TRY(forget_flows(), "remove");
    SLUICE_TRY(kernel::remove_mark_rule(rule_), "remove");
    SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "remove");
    SLUICE_ASSIGN(const auto refused,
                  rtnl.apply_each(kernel::RtnlBatch().add(kernel::DeleteRoute{route_})), "remove");
    if (!refused.empty() && refused.front().error.code() != Errc::not_found)
      return fail(Error(refused.front().error).in("remove"));
    return {};
  }

private:
  Result<> forget_flows() const {
    SLUICE_ASSIGN(auto conntrack, kernel::conntrack::ConntrackSocket::open(), "forget connections");
    for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp}) {
      std::vector<kernel::conntrack::Flow> ours;
      const auto collect = [&](const kernel::conntrack::Flow &flow) {
        if ((flow.mark & own_ct_bit_) != 0)
          ours.push_back(flow);
      };
      SLUICE_TRY(conntrack.each({rule_.family, protocol}, collect), "forget connections");
      SLUICE_TRY(conntrack.remove(ours), "forget connections");
    }
    return {};
  }

  kernel::MarkRule rule_;
  kernel::Route route_;
  std::uint32_t own_ct_bit_;
  std::vector<std::pair<const char *, const char *>> parameters_;
};

} // namespace

OpenConnections open_connections_in(std::string_view text, Family family) {
  OpenConnections open;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string protocol_name, from, from_port, to, to_port, endpoint, port, state;
    words >> protocol_name >> from >> from_port >> to >> to_port >> endpoint >> port >> state;
    const auto protocol = parse_protocol(protocol_name);
    const auto ip = connection_address(endpoint);
    const auto number = hex_number(port);
    const bool over = state.empty() || state == "TIME_WAIT" || state == "CLOSE";
    if (protocol && ip && ip->family() == family && number && *number <= 0xffff && !over)
      open.insert({*protocol, {*ip, Port(static_cast<std::uint16_t>(*number))}});
  }
  return open;
}

std::unique_ptr<Environment> make_environment(Family family, const EnvironmentOptions &options) {
  return std::make_unique<KernelEnvironment>(family, options);
}

} // namespace sluice::proxy::ipvs
