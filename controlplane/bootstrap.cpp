#include "controlplane/bootstrap.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

Result<> failed(const ApiError &error, std::string_view doing) {
  return fail(Errc::io, std::string(doing) + ": " + error.message);
}

/// Creates `object`, or brings what exists in line by `change`.
Result<> ensure(Registry &registry, const json &object, const Registry::Change &change) {
  const auto &metadata = object["metadata"];
  const auto *type = find_by_kind(object["apiVersion"].get_ref<const std::string &>(),
                                  object["kind"].get_ref<const std::string &>());
  const Key key{metadata.value("namespace", ""), metadata.value("name", "")};
  if (!type)
    return fail(Errc::unsupported, "the kind of \"" + key.name + "\" is not served");
  const auto doing = "ensure " + type->qualified() + " \"" + key.name + "\"";
  const auto changed = registry.mutate(*type, key, change);
  if (changed)
    return {};
  if (changed.error().reason != "NotFound")
    return failed(changed.error(), doing);
  const auto created = registry.create(*type, object);
  return created ? Result<>() : failed(created.error(), doing);
}

ApiResult<> keep(json &) { return {}; }

json service_object(const std::vector<Cidr> &networks, std::uint16_t port) {
  json families = json::array(), addresses = json::array();
  for (const auto &network : networks) {
    families.push_back(name_of(network.family()));
    addresses.push_back(first_service_address(network).str());
  }
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata",
           {{"name", "kubernetes"},
            {"namespace", "default"},
            {"labels", {{"component", "apiserver"}, {"provider", "kubernetes"}}}}},
          {"spec",
           {{"type", "ClusterIP"},
            {"clusterIP", addresses[0]},
            {"clusterIPs", addresses},
            {"ipFamilies", families},
            {"ipFamilyPolicy", networks.size() > 1 ? "RequireDualStack" : "SingleStack"},
            {"ports",
             {{{"name", "https"}, {"protocol", "TCP"}, {"port", 443}, {"targetPort", port}}}}}}};
}

json service_cidr_object(const std::vector<Cidr> &networks) {
  json cidrs = json::array();
  for (const auto &network : networks)
    cidrs.push_back(network.str());
  return {{"apiVersion", "networking.k8s.io/v1"},
          {"kind", "ServiceCIDR"},
          {"metadata", {{"name", "kubernetes"}}},
          {"spec", {{"cidrs", std::move(cidrs)}}}};
}

std::string slice_name(Family family) {
  return family == Family::ipv4 ? "kubernetes" : "kubernetes-ipv6";
}

json slice_object(Family family, const std::vector<IpAddress> &all, std::uint16_t port) {
  json endpoints = json::array();
  for (const auto &ip : all)
    if (ip.family() == family)
      endpoints.push_back({{"addresses", {ip.str()}}, {"conditions", {{"ready", true}}}});
  return {{"apiVersion", "discovery.k8s.io/v1"},
          {"kind", "EndpointSlice"},
          {"metadata",
           {{"name", slice_name(family)},
            {"namespace", "default"},
            {"labels", {{"kubernetes.io/service-name", "kubernetes"}}}}},
          {"addressType", name_of(family)},
          {"endpoints", std::move(endpoints)},
          {"ports", {{{"name", "https"}, {"protocol", "TCP"}, {"port", port}}}}};
}

Result<> ensure_slice(Registry &registry, Family family, const std::vector<IpAddress> &endpoints,
                      std::uint16_t port) {
  const json slice = slice_object(family, endpoints, port);
  if (!slice["endpoints"].empty())
    return ensure(registry, slice, [&slice](json &document) -> ApiResult<> {
      document["endpoints"] = slice["endpoints"];
      document["ports"] = slice["ports"];
      return {};
    });
  const auto *type = find_by_kind("discovery.k8s.io/v1", "EndpointSlice");
  const auto removed = registry.remove(*type, {"default", slice_name(family)});
  if (!removed && removed.error().reason != "NotFound")
    return failed(removed.error(), "remove the EndpointSlice of the API server");
  return {};
}

} // namespace

IpAddress first_service_address(const Cidr &network) { return network.first().advanced(1); }

Result<> ensure_namespaces(Registry &registry) {
  for (const char *name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    const json object = {
        {"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}};
    SLUICE_TRY(ensure(registry, object, keep), "prepare the cluster");
  }
  return {};
}

Result<> ensure_kubernetes_service(Registry &registry, const std::vector<Cidr> &service_networks,
                                   const std::vector<IpAddress> &endpoints, std::uint16_t port) {
  const json service = service_object(service_networks, port);
  SLUICE_TRY(ensure(registry, service,
                    [&service](json &document) -> ApiResult<> {
                      document["spec"]["ports"] = service["spec"]["ports"];
                      return {};
                    }),
             "prepare the cluster");
  for (const auto family : {Family::ipv4, Family::ipv6})
    SLUICE_TRY(ensure_slice(registry, family, endpoints, port), "prepare the cluster");
  return {};
}

Result<> ensure_service_cidr(Registry &registry, const std::vector<Cidr> &service_networks) {
  const json wanted = service_cidr_object(service_networks);
  return ensure(registry, wanted, [&wanted](json &document) -> ApiResult<> {
    document["spec"] = wanted["spec"];
    return {};
  });
}

} // namespace sluice::controlplane
