#include "controlplane/controllers/service_families.hpp"

#include "controlplane/resources/access.hpp"
#include "controlplane/resources/service_parts.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr const char *kSingle = "SingleStack";
constexpr const char *kPrefer = "PreferDualStack";
constexpr const char *kRequire = "RequireDualStack";

std::string other_family(const std::string &family) { return family == "IPv4" ? "IPv6" : "IPv4"; }

/// Families that the client named, or that follow from its addresses.
std::vector<std::string> asked_families(const json &spec) {
  auto families = texts(spec, "ipFamilies");
  const auto ips = texts(spec, "clusterIPs");
  for (std::size_t i = families.size(); i < ips.size(); ++i)
    if (const auto ip = IpAddress::parse(ips[i]))
      families.emplace_back(name_of(ip->family()));
  return families;
}

std::string policy_of(const json &spec, std::size_t asked) {
  const auto policy = text(spec, "ipFamilyPolicy");
  if (!policy.empty())
    return policy;
  if (asked > 1 || (is_headless(spec) && is_empty(spec, "selector")))
    return kRequire;
  return kSingle;
}

/// True if the client only set the policy to SingleStack on a service that had two families.
bool is_downgrade(const json &spec, const json *old_spec) {
  return old_spec != nullptr && text(spec, "ipFamilyPolicy") == kSingle &&
         text(*old_spec, "ipFamilyPolicy") != kSingle && list(*old_spec, "ipFamilies").size() == 2;
}

void check_configured(FieldChecker &errors, const std::vector<std::string> &families,
                      const std::vector<Family> &cluster) {
  for (std::size_t i = 0; i < families.size(); ++i) {
    const bool configured = std::any_of(cluster.begin(), cluster.end(), [&](Family family) {
      return name_of(family) == families[i];
    });
    if (!configured)
      errors.invalid(indexed("spec.ipFamilies", i), families[i], "not configured on this cluster");
  }
}

void check_addresses(FieldChecker &errors, const json &spec,
                     const std::vector<std::string> &families) {
  const auto ips = texts(spec, "clusterIPs");
  for (std::size_t i = 0; i < ips.size() && i < families.size(); ++i) {
    const auto ip = IpAddress::parse(ips[i]);
    if (ip && name_of(ip->family()) != families[i])
      errors.invalid(indexed("spec.clusterIPs", i), ips[i],
                     "expected an " + families[i] + " value as indicated by `ipFamilies[" +
                         std::to_string(i) + "]`");
  }
}

} // namespace

FieldErrors default_service_families(json &spec, const json *old_spec,
                                     const std::vector<Family> &cluster) {
  FieldChecker errors;
  if (!needs_cluster_ip(spec) || cluster.empty())
    return {};
  const bool anywhere = is_headless(spec) && is_empty(spec, "selector");
  auto families = asked_families(spec);
  const auto policy = policy_of(spec, families.size());
  if (policy == kSingle && families.size() > 1) {
    if (is_downgrade(spec, old_spec)) {
      families.resize(1);
      if (auto *ips = find(spec, "clusterIPs"); ips != nullptr && ips->size() > 1)
        ips->erase(1);
    } else {
      errors.invalid("spec.ipFamilyPolicy", policy,
                     "must be 'RequireDualStack' or 'PreferDualStack' when multiple 'ipFamilies' "
                     "are specified");
    }
  }
  if (families.empty())
    families.emplace_back(name_of(cluster.front()));
  const bool dual = policy == kRequire || (policy == kPrefer && cluster.size() > 1);
  if (policy == kRequire && cluster.size() < 2 && !anywhere)
    errors.invalid("spec.ipFamilyPolicy", policy,
                   "this cluster is not configured for dual-stack services");
  else if (dual && families.size() == 1)
    families.push_back(other_family(families.front()));
  if (!anywhere)
    check_configured(errors, families, cluster);
  check_addresses(errors, spec, families);
  spec["ipFamilies"] = families;
  spec["ipFamilyPolicy"] = policy;
  return errors.take();
}

} // namespace sluice::controlplane
