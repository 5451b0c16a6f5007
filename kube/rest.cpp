// Where each kind is found under the API, and what its errors mean.

#include "kube/service_cidr.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube {
namespace {

constexpr RestKind kKinds[] = {
    {"Namespace", "v1", "/api/v1", "namespaces", false},
    {"Node", "v1", "/api/v1", "nodes", false},
    {"Pod", "v1", "/api/v1", "pods", true},
    {"Service", "v1", "/api/v1", "services", true},
    {"ServiceAccount", "v1", "/api/v1", "serviceaccounts", true},
    {"ConfigMap", "v1", "/api/v1", "configmaps", true},
    {"Event", "v1", "/api/v1", "events", true},
    {"EndpointSlice", "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1", "endpointslices", true},
    {"Lease", "coordination.k8s.io/v1", "/apis/coordination.k8s.io/v1", "leases", true},
    {"NetworkPolicy", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1", "networkpolicies",
     true},
};
/// Not every API server has it (1.33 and on).
constexpr RestKind kServiceCidr{"ServiceCIDR", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1",
                                "servicecidrs", false};

Errc code_of(int status, const std::string &reason) {
  switch (status) {
  case 400:
  case 422:
    return Errc::invalid_input;
  case 401:
  case 403:
    return Errc::no_permission;
  case 404:
    return Errc::not_found;
  case 405:
  case 406:
  case 415:
  case 501:
    return Errc::unsupported;
  case 409:
    return reason == "AlreadyExists" ? Errc::already_exists : Errc::conflict;
  case 410:
    return Errc::expired;
  default:
    return Errc::unavailable;
  }
}

} // namespace

template <> const RestKind &rest_of<Namespace>() noexcept { return kKinds[0]; }
template <> const RestKind &rest_of<Node>() noexcept { return kKinds[1]; }
template <> const RestKind &rest_of<Pod>() noexcept { return kKinds[2]; }
template <> const RestKind &rest_of<Service>() noexcept { return kKinds[3]; }
template <> const RestKind &rest_of<ServiceAccount>() noexcept { return kKinds[4]; }
template <> const RestKind &rest_of<ConfigMap>() noexcept { return kKinds[5]; }
template <> const RestKind &rest_of<Event>() noexcept { return kKinds[6]; }
template <> const RestKind &rest_of<EndpointSlice>() noexcept { return kKinds[7]; }
template <> const RestKind &rest_of<Lease>() noexcept { return kKinds[8]; }
template <> const RestKind &rest_of<NetworkPolicy>() noexcept { return kKinds[9]; }
template <> const RestKind &rest_of<ServiceCIDR>() noexcept { return kServiceCidr; }

std::span<const RestKind> all_rest_kinds() noexcept { return kKinds; }

std::string percent_encode(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9') || std::string_view("-._~").find(c) != std::string::npos) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result.append({'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]});
    }
  }
  return result;
}

std::string path_of(const RestKind &kind, const ObjectKey &key) {
  std::string path(kind.prefix);
  if (kind.namespaced && !key.namespace_.empty())
    path.append("/namespaces/").append(percent_encode(key.namespace_));
  path.append("/").append(kind.plural);
  if (!key.name.empty())
    path.append("/").append(percent_encode(key.name));
  return path;
}

Error error_of(const HttpResponse &response) {
  const nlohmann::json status = nlohmann::json::parse(response.body, nullptr, false);
  std::string reason, message;
  if (status.is_object()) {
    if (const auto at = status.find("reason"); at != status.end() && at->is_string())
      reason = *at;
    if (const auto at = status.find("message"); at != status.end() && at->is_string())
      message = *at;
  }
  if (message.empty())
    message = "the server answered HTTP " + std::to_string(response.status) +
              (status.is_discarded() && !response.body.empty() ? ": " + response.body.substr(0, 200)
                                                               : std::string());
  return {code_of(response.status, reason), message};
}

} // namespace sluice::kube
