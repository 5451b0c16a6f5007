#pragma once
// Addresses of pods that are gone, whose runtime never called DEL and does not call GC (containerd
// does not). Found once, when the agent starts.
//
// An address is given back only if everything says that its pod is gone:
//   - its record is older than ten minutes: an ADD that still runs has a record and no link;
//   - no link of the node has the name or the alias that `sluice` gives to the pod's host link. A
//     veth goes with the pod's namespace, so a pod without one has no network;
//   - the runtime's cached result of ADD (libcni writes it after ADD, removes it after DEL) is
//     missing, or none of the host links that it names exists and its namespace is gone. That
//     covers pods that another plugin connected on the same store.
// What cannot be read keeps its address. Links need no such search: the kernel removes them with
// the namespace.

#include "ipam/store.hpp"
#include "kernel/rtnl.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::node {

inline constexpr std::chrono::minutes kLeftoverAge{10};

/// What the runtime remembers of an attachment.
struct CachedResult {
  std::vector<std::string> host_links; ///< the result's interfaces outside of the container
  bool namespace_exists = false;
};

/// nullopt if the text is no cached result; then nothing may be concluded from it. `exists` is
/// asked for the container's namespace. Pure.
std::optional<CachedResult>
parse_cached_result(const std::string &text,
                    const std::function<bool(const std::string &path)> &exists);

struct StoredAddress {
  ipam::Record record;
  std::chrono::seconds age{};
  bool has_cache = false;             ///< the runtime has a file about it
  std::optional<CachedResult> cached; ///< and it reads
};

/// Names and aliases of all links of the node.
struct HostLinks {
  std::set<std::string> names, aliases;
};
HostLinks host_links(const std::vector<kernel::Link> &links);

/// The rule above. Pure.
bool is_leftover(const std::string &network, const StoredAddress &address, const HostLinks &links);

struct LeftoverPlaces {
  std::string network = "sluice"; ///< of our CNI configuration
  std::string networks_folder = "/var/lib/cni/networks";
  std::string results_folder = "/var/lib/cni/results";
};

/// Releases them under the store's lock, so that no ADD runs in between. The addresses released.
Result<std::vector<IpAddress>> release_leftovers(kernel::Rtnl &rtnl, const LeftoverPlaces &places,
                                                 std::filesystem::file_time_type now);

} // namespace sluice::node
