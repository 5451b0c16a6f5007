#include "proxy/ipvs/environment.hpp"

#include "kernel/mark_rule.hpp"
#include "kernel/rtnl.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>

namespace sluice::proxy::ipvs {
namespace {

constexpr std::uint32_t kRoutingTable = 83;
/// Behind the table `local`, before the tables that lead away.
constexpr std::uint32_t kRulePriority = 830;
constexpr kernel::IfIndex kLoopback(1);
constexpr std::uint8_t kLocalRoute = 2, kHostScope = 254; // RTN_LOCAL, RT_SCOPE_HOST

/// Packets of translated connections can be masqueraded; the connections of an endpoint that was
/// removed end with their next packet.
constexpr std::array kParameters{"net/ipv4/vs/conntrack", "net/ipv4/vs/expire_nodest_conn"};

class KernelEnvironment final : public Environment {
public:
  KernelEnvironment(Family family, std::uint32_t divert_bit)
      : rule_{family, divert_bit, divert_bit, kRoutingTable, kRulePriority} {
    const std::uint8_t zeros[16] = {};
    const auto any = IpAddress::from_bytes({zeros, family == Family::ipv4 ? 4U : 16U});
    route_ = {.destination = Cidr(any, 0),
              .link = kLoopback,
              .table = kRoutingTable,
              .scope = family == Family::ipv4 ? kHostScope : std::uint8_t{0},
              .type = kLocalRoute};
  }

  Result<> prepare() override {
    for (const auto *name : kParameters)
      SLUICE_TRY(kernel::Sysctl().write(name, "1"), "prepare for IPVS");
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
    for (const auto *name : kParameters)
      if (const auto value = kernel::Sysctl().read(name); !value || *value != "1")
        found.push_back(std::string("parameter ") + name + " is not 1");
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

  Result<> remove() override {
    SLUICE_TRY(kernel::remove_mark_rule(rule_), "remove");
    SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "remove");
    SLUICE_ASSIGN(const auto refused,
                  rtnl.apply_each(kernel::RtnlBatch().add(kernel::DeleteRoute{route_})), "remove");
    if (!refused.empty() && refused.front().error.code() != Errc::not_found)
      return fail(Error(refused.front().error).in("remove"));
    return {};
  }

private:
  kernel::MarkRule rule_;
  kernel::Route route_;
};

} // namespace

std::unique_ptr<Environment> make_environment(Family family, std::uint32_t divert_bit) {
  return std::make_unique<KernelEnvironment>(family, divert_bit);
}

} // namespace sluice::proxy::ipvs
