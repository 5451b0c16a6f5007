#include "cni/namespaces.hpp"

namespace sluice::cni {

Outcome<Namespaces> open_namespaces(const Environment &environment) {
  SLUICE_TAKE(auto host, kernel::NetNs::current());
  auto pod = kernel::NetNs::open(environment.netns);
  if (!pod) {
    const bool missing = pod.error().code() == Errc::not_found;
    return fail(missing ? Code::unknown_container : Code::bad_environment,
                "CNI_NETNS: " + pod.error().what());
  }
  if (pod->inode() == host.inode() && !environment.netns_override)
    return fail(Code::invalid_netns,
                "CNI_NETNS \"" + environment.netns +
                    "\" is the namespace that the plugin runs in, not a container's");
  return Namespaces{std::move(host), std::move(*pod)};
}

} // namespace sluice::cni
