#include "cni/pod_link.hpp"

#include "cni/link_removal.hpp"
#include "cni/names.hpp"
#include "cni/namespaces.hpp"

#include <cerrno>
#include <linux/neighbour.h>
#include <sys/random.h>

namespace sluice::cni {

using kernel::Rtnl;
using kernel::RtnlSocket;

namespace {

bool is_hint_without_room(const kernel::RtnlBatch &batch, const kernel::Refusal &refusal) {
  const auto *op = std::get_if<kernel::AddNeighbour>(&batch.ops()[refusal.operation]);
  return op && op->neighbour.state == NUD_STALE && refusal.error.sys() == ENOBUFS;
}

/// Without an address there is nothing that a neighbour could remember.
MacAddress choose_pod_mac(const std::optional<MacAddress> &wanted, const std::string &network,
                          const AddResult &addresses) {
  if (wanted)
    return *wanted;
  return addresses.ips.empty() ? random_mac() : pod_mac(network, addresses.ips.front().address.ip);
}

/// A pod that another plugin connected has a host link of another name: it goes with the pod's end.
Outcome<> remove_pod_end(const Environment &environment) {
  const auto namespaces = open_namespaces(environment);
  if (!namespaces)
    return {}; // gone, and the interface with it
  return namespaces->in_pod([&]() -> Outcome<> {
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    const auto link = rtnl.read_link(environment.attachment.ifname);
    if (!link || link->kind != "veth")
      return {};
    SLUICE_PASS(remove_link(link->name));
    return {};
  });
}

} // namespace

MacAddress random_mac() {
  std::uint64_t seed = 0;
  (void)!::getrandom(&seed, sizeof seed, 0);
  return MacAddress::from_seed(seed);
}

PodLink name_links(const Request &request, const std::optional<MacAddress> &mac,
                   const AddResult &addresses) {
  const auto &network = request.config.name;
  const auto &attachment = request.environment.attachment;
  return {.host_name = host_link_name(network, attachment),
          .alias = host_link_alias(network, attachment),
          .pod_name = attachment.ifname,
          .host_mac = host_mac(network, attachment),
          .pod_mac = choose_pod_mac(mac, network, addresses)};
}

Result<std::vector<kernel::Refusal>> apply_but_hints(Rtnl &rtnl, const kernel::RtnlBatch &batch) {
  auto refusals = rtnl.apply_each(batch);
  if (refusals)
    std::erase_if(*refusals,
                  [&](const auto &refusal) { return is_hint_without_room(batch, refusal); });
  return refusals;
}

Result<> apply_all_but_hints(Rtnl &rtnl, const kernel::RtnlBatch &batch) {
  SLUICE_ASSIGN(auto refusals, apply_but_hints(rtnl, batch), "apply");
  if (!refusals.empty())
    return fail(std::move(refusals.front().error));
  return {};
}

Outcome<> create_host_link(Rtnl &rtnl, const kernel::RtnlBatch &batch, const PodLink &link) {
  SLUICE_TAKE(const auto refusals, apply_but_hints(rtnl, batch));
  if (refusals.empty())
    return {};
  const auto &first = refusals.front();
  if (first.operation == 0 && first.error.code() == Errc::already_exists)
    return fail(Code::already_exists,
                "interface \"" + link.pod_name + "\" exists in the container, or its host end \"" +
                    link.host_name + "\" does",
                first.error.what());
  if (first.operation != 0)
    (void)remove_link(link.host_name);
  return fail(CniError(first.error));
}

Outcome<> remove_interface(const Request &request) {
  const auto &environment = request.environment;
  SLUICE_TAKE(const bool removed,
              remove_link(host_link_name(request.config.name, environment.attachment)));
  return removed ? Outcome<>{} : remove_pod_end(environment);
}

Outcome<> remove_stale_links(const Request &request) {
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto links, rtnl.read_links());
  Outcome<> first_failure;
  for (const auto &link : links) {
    const auto owner = parse_host_link_alias(link.alias);
    if (!owner || owner->network != request.config.name ||
        request.config.valid_attachments->count(owner->attachment) > 0)
      continue;
    auto removed = remove_link(link.name);
    if (!removed && first_failure)
      first_failure = fail(std::move(removed.error()));
  }
  return first_failure;
}

} // namespace sluice::cni
