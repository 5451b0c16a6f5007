#include "proxy/api_feed.hpp"

#include "kube/daemon/log.hpp"

namespace sluice::proxy {
namespace {

using kube::daemon::log_info;
using kube::daemon::log_warning;

constexpr std::size_t kLongestInbox = 64;

/// An API server that has no ServiceCIDRs, or shows us none, is no error: --service-cidrs says
/// what it would.
kube::InformerOptions service_cidr_options() {
  kube::InformerOptions options;
  options.backoff = {.first = std::chrono::seconds(10), .longest = std::chrono::minutes(10)};
  options.report = [told = false](const Error &error) mutable {
    const bool none = error.code() == Errc::not_found || error.code() == Errc::no_permission;
    if (none && !std::exchange(told, true))
      log_info("no ServiceCIDRs to be had; --service-cidrs counts alone", {{"error", error}});
  };
  return options;
}

} // namespace

ApiFeed::ApiFeed(kube::ApiClient &client, const std::string &node_name, bool external_ips,
                 Inbox &inbox, const Clock &clock)
    : client_(client), external_ips_(external_ips), inbox_(inbox), clock_(clock) {
  kube::InformerOptions large;
  large.identitiesOnly = true; // the model keeps what it needs of each object
  // Headless Services come too and the model skips them: older API servers refuse a list with the
  // field selector spec.clusterIP (seen with 1.20).
  services_ = informer<kube::Service>({"", "!service.kubernetes.io/service-proxy-name", ""}, large);
  slices_ = informer<kube::EndpointSlice>({"", "!service.kubernetes.io/headless", ""}, large);
  nodes_ = informer<kube::Node>({"", "", "metadata.name=" + node_name});
  service_cidrs_ = informer<kube::ServiceCIDR>({}, service_cidr_options());
}

std::function<void(const Error &)> ApiFeed::say_failures() const {
  return [this, said = std::string(), at = Clock::time_point()](const Error &error) mutable {
    const auto now = clock_.now();
    if (error.what() == said && now - at < std::chrono::minutes(10))
      return;
    said = error.what();
    at = now;
    log_warning("no news from the API server; what is known stays", {{"error", error}});
  };
}

template <class Object>
std::unique_ptr<kube::Informer<Object>> ApiFeed::informer(kube::WatchScope scope,
                                                          kube::InformerOptions options) {
  if (!options.report)
    options.report = say_failures();
  return std::make_unique<kube::Informer<Object>>(
      client_, std::move(scope),
      [this](kube::Change<Object> change) {
        if constexpr (std::is_same_v<Object, kube::Service>)
          if (!external_ips_)
            change.object.externalIPs.clear();
        // A first list comes faster than it is taken, and decoded objects are large.
        while (inbox_.size() > kLongestInbox && !inbox_.closed())
          std::this_thread::sleep_for(std::chrono::microseconds(200));
        inbox_.put({std::move(change), clock_.now()});
      },
      std::move(options));
}

} // namespace sluice::proxy
