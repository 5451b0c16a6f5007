#pragma once
// What a pod needs to reach the API server itself: the address, and its service account's files.

#include "kube/api_client.hpp"
#include "podlet/pod_state.hpp"

#include <mutex>

namespace sluice::podlet {

/// When to fetch a new token: after 80 % of its life, as kubelet does. Pure.
Time token_renewal(Time issued, Time expires);

/// Thread-safe.
class ClusterAccess {
public:
  explicit ClusterAccess(kube::ApiClient &client) : client_(client) {}
  virtual ~ClusterAccess() = default;

  struct ApiAddress {
    std::string host, port;
  };
  /// The clusterIP and port of default/kubernetes; asked for until it is known, then remembered.
  virtual Result<ApiAddress> api_address();

  /// Writes token, ca.crt and namespace into `folder` (each as a whole) and says when to write them
  /// again. The token is bound to the pod (TokenRequest API).
  virtual Result<Time> write_service_account(const kube::Pod &pod, const std::string &folder);

private:
  kube::ApiClient &client_;
  std::mutex mutex_; ///< guards address_
  std::optional<ApiAddress> address_;
};

} // namespace sluice::podlet
