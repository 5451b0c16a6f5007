#pragma once
// The veth of an attachment, whatever it is connected to: its names, its birth and its end. All of
// it works without a record, so DEL and GC need no more than the request.

#include "cni/protocol/plugin.hpp"
#include "kernel/rtnl.hpp"

#include <optional>
#include <string>

namespace sluice::cni {

/// Who is who in one attachment.
struct PodLink {
  std::string host_name, alias, pod_name;
  MacAddress host_mac, pod_mac;
};

MacAddress random_mac();

/// `mac` is of the pod's end; without one it follows from the first address.
PodLink name_links(const Request &request, const std::optional<MacAddress> &mac,
                   const AddResult &addresses);

/// Applies `batch`. The kernel keeps one neighbour table a family for all namespaces together (1024
/// entries as a rule, most of them for 5 s at least): an entry that is only a hint and finds it
/// full is left out, and the kernel asks for the MAC itself.
Result<std::vector<kernel::Refusal>> apply_but_hints(kernel::Rtnl &rtnl,
                                                     const kernel::RtnlBatch &batch);
/// Likewise; the first refusal is the error.
Result<> apply_all_but_hints(kernel::Rtnl &rtnl, const kernel::RtnlBatch &batch);

/// Applies `batch`, whose first operation makes the host link. Code 101 if one of its ends exists.
/// On an error nothing of the link is left.
Outcome<> create_host_link(kernel::Rtnl &rtnl, const kernel::RtnlBatch &batch, const PodLink &link);

/// The host link by its name; without one the veth that is the container's interface. What is gone
/// already is no error.
Outcome<> remove_interface(const Request &request);

/// Removes the host links of this network that belong to no valid attachment. Goes on after a
/// failure and answers the first one.
Outcome<> remove_stale_links(const Request &request);

} // namespace sluice::cni
