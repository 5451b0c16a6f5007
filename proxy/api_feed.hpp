#pragma once
// What the API server tells, put into the loop's inbox.

#include "kube/informer.hpp"
#include "proxy/runner.hpp"

namespace sluice::proxy {

/// Watches Services, EndpointSlices, ServiceCIDRs and one Node, from construction to destruction.
class ApiFeed {
public:
  /// `client`, `inbox` and `clock` outlive this. Without `external_ips` Services come as if they
  /// had none.
  ApiFeed(kube::ApiClient &client, const std::string &node_name, bool external_ips, Inbox &inbox,
          const Clock &clock);

private:
  template <class Object>
  std::unique_ptr<kube::Informer<Object>> informer(kube::WatchScope scope,
                                                   kube::InformerOptions options = {});
  /// A failure is said once, and again if it is another one or ten minutes have gone.
  std::function<void(const Error &)> say_failures() const;

  kube::ApiClient &client_;
  const bool external_ips_;
  Inbox &inbox_;
  const Clock &clock_;
  std::unique_ptr<kube::Informer<kube::Service>> services_;
  std::unique_ptr<kube::Informer<kube::EndpointSlice>> slices_;
  std::unique_ptr<kube::Informer<kube::Node>> nodes_;
  std::unique_ptr<kube::Informer<kube::ServiceCIDR>> service_cidrs_;
};

} // namespace sluice::proxy
