#pragma once
// networking.k8s.io/v1 ServiceCIDR: the ranges that clusterIPs come from. Read only; what decodes
// and watches the kinds of kube/objects.hpp does so for this one too.

#include "kube/api_client.hpp"

namespace sluice::kube {

struct ServiceCIDR {
  ObjectMeta metadata;
  std::vector<std::string> cidrs; ///< one of each family at most, text as the API has it
  friend bool operator==(const ServiceCIDR &, const ServiceCIDR &) = default;
};
template <> const RestKind &rest_of<ServiceCIDR>() noexcept;

} // namespace sluice::kube
