#include "proxy/surroundings.hpp"

#include "kernel/rtnl.hpp"
#include "proxy/model/node_info.hpp"

#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

std::vector<IpAddress> addresses_from(const std::vector<std::string> &texts) {
  std::vector<IpAddress> out;
  for (const auto &text : texts)
    if (const auto ip = IpAddress::parse(text))
      out.push_back(*ip);
  return out;
}

/// The proxy's own rights do not let it read pods; that is no fault.
Error with_advice(Error error) {
  if (error.code() == Errc::no_permission)
    return {Errc::no_permission,
            "the proxy may not read Pods: give the pod's address instead (" + error.what() + ")"};
  return error;
}

bool is_ours(const IpAddress &ip) {
  auto rtnl = kernel::RtnlSocket::open();
  if (!rtnl)
    return false;
  const auto addresses = rtnl->read_addresses();
  return ip.is_loopback() || (addresses && std::any_of(addresses->begin(), addresses->end(),
                                                       [&](const kernel::LinkAddress &one) {
                                                         return one.address.ip == ip;
                                                       }));
}

/// By the route back to it.
std::string interface_of(const IpAddress &ip) {
  auto rtnl = kernel::RtnlSocket::open();
  if (!rtnl)
    return "";
  const auto routes = rtnl->read_routes(ip.family());
  if (!routes)
    return "";
  const kernel::Route *best = nullptr;
  for (const auto &route : *routes)
    if (route.table == 254 && route.destination.contains(ip) && route.link.value != 0 &&
        (!best || route.destination.prefix_length() > best->destination.prefix_length()))
      best = &route;
  if (!best)
    return "";
  const auto links = rtnl->read_links();
  if (links)
    for (const auto &link : *links)
      if (link.index == best->link)
        return link.name;
  return "";
}

} // namespace

Lookups lookups(kube::ApiClient &client) {
  Lookups out;
  out.pod = [&client](const kube::ObjectKey &key) -> Result<std::vector<IpAddress>> {
    auto pod = client.get<kube::Pod>(key);
    if (!pod)
      return fail(with_advice(std::move(pod.error())));
    return addresses_from(pod->podIPs);
  };
  out.node = [&client](const std::string &name) -> Result<std::vector<IpAddress>> {
    SLUICE_ASSIGN(const auto node, client.get<kube::Node>({"", name}), "ask the API server");
    auto found = node_addresses(node, Family::ipv4);
    for (const auto &ip : node_addresses(node, Family::ipv6))
      found.push_back(ip);
    return found;
  };
  out.is_ours = is_ours;
  out.interface_of = interface_of;
  return out;
}

void ApiState::saw(bool answered) {
  (answered ? answered_ : failed_) = Clock::now().time_since_epoch().count();
}

nlohmann::json ApiState::json() const {
  const auto answered = answered_.load(), failed = failed_.load();
  nlohmann::json out = {{"connected", answered > failed}};
  const auto ago = [](Clock::rep then) {
    const auto past = Clock::now().time_since_epoch() - Clock::duration(then);
    return std::chrono::duration_cast<std::chrono::seconds>(past).count();
  };
  if (answered != 0)
    out["lastAnswerSecondsAgo"] = ago(answered);
  if (failed != 0)
    out["lastFailureSecondsAgo"] = ago(failed);
  return out;
}

} // namespace sluice::proxy
