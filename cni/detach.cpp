#include "cni/detach.hpp"

#include "cni/ipam_client.hpp"
#include "cni/leftovers.hpp"
#include "cni/legacy_masquerade.hpp"
#include "cni/pod_link.hpp"

namespace sluice::cni {

Outcome<> detach(const Request &request) {
  SLUICE_PASS(remove_interface(request));
  SLUICE_PASS(remove_legacy_masquerade(request.config.name, request.environment.attachment));
  if (request.config.ipam_type.empty())
    return {};
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  return ipam.del();
}

Outcome<> collect_garbage(const Request &request) {
  auto links = remove_stale_links(request);
  auto rules = collect_legacy_masquerade(request.config.name, *request.config.valid_attachments);
  if (links && !rules)
    links = fail(std::move(rules.error()));
  auto leftovers = collect_leftovers(request);
  if (links && !leftovers)
    links = fail(std::move(leftovers.error()));
  if (request.config.ipam_type.empty())
    return links;
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  SLUICE_PASS(ipam.gc());
  return links;
}

Outcome<> check_ipam(const Request &request) {
  if (request.config.ipam_type.empty())
    return {};
  SLUICE_TAKE(const auto ipam, IpamClient::of(request));
  return ipam.check();
}

Outcome<> ipam_status(const Request &request) {
  if (request.config.ipam_type.empty())
    return {};
  const auto ipam = IpamClient::of(request);
  if (!ipam)
    return fail(Code::unavailable, ipam.error().message(), ipam.error().details());
  return ipam->status();
}

} // namespace sluice::cni
