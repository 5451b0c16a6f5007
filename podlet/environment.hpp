#pragma once
// The environment and the command line of a container. Pure.

#include "podlet/pod_state.hpp"

namespace sluice::podlet {

/// What a pod may ask for by fieldRef beside its own metadata.
struct PodContext {
  std::string node_name, api_host, api_port, path;
  std::vector<IpAddress> node_ips, pod_ips;
};

/// metadata.name, .namespace, .uid, metadata.labels['x'], metadata.annotations['x'], spec.nodeName,
/// spec.serviceAccountName, status.podIP, .podIPs, .hostIP. Errors: invalid_input.
Result<std::string> field_value(const kube::Pod &pod, const PodContext &context,
                                std::string_view field_path);

/// "NAME=value" each: PATH, HOSTNAME, KUBERNETES_SERVICE_HOST and _PORT, then the spec's, in which
/// $(NAME) is replaced by what was set before. A name set twice has its last value.
Result<std::vector<std::string>>
environment_of(const kube::Pod &pod, const kube::Container &container, const PodContext &context);

/// command and args, with $(NAME) replaced from `environment`; "$$(NAME)" stays as "$(NAME)".
/// Errors: invalid_input if the container has no command: there is no image to take one from.
Result<std::vector<std::string>> argv_of(const kube::Container &container,
                                         const std::vector<std::string> &environment);

/// spec.hostname, else the pod's name; for hostNetwork the node's name. At most 63 characters.
std::string hostname_of(const kube::Pod &pod, const std::string &node_name);

} // namespace sluice::podlet
