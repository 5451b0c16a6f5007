#pragma once
// Where the API server is and who we are: from a kubeconfig file, from the files and variables that
// a pod finds, or given.

#include "net/result.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace sluice::kube {

/// A datum that is either inline or in a file (which may be replaced while we run).
struct PemSource {
  std::string data, file; ///< at most one is set
  bool empty() const noexcept { return data.empty() && file.empty(); }
};

/// One request that was answered, or was not.
struct RequestSeen {
  std::string_view method; ///< "GET", "WATCH"; of static storage or the request's
  int status = 0;          ///< 0: no answer
  std::chrono::steady_clock::duration took{}; ///< until the answer; of a watch, until its head
};

struct ClientConfig {
  std::string server; ///< "https://10.96.0.1:443"; over "http://..." no token leaves the machine
  PemSource certificateAuthority;
  PemSource clientCertificate, clientKey;
  std::string token, tokenFile;
  std::string tlsServerName;
  bool insecureSkipTlsVerify = false;
  std::string userAgent = "sluice";
  /// Told of every request, on the thread that made it: the place to count them. May be empty.
  std::function<void(const RequestSeen &)> observe;
};

/// Reads a kubeconfig (or several, ':'-separated, merged as kubectl merges KUBECONFIG) and takes
/// the current context, or `context` if not empty. Relative file names are relative to the file
/// that holds them. An exec plugin, an auth-provider or a proxy-url is refused with a sentence that
/// says so.
Result<ClientConfig> read_kubeconfig(const std::string &paths, const std::string &context = "");

/// From KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT and the files of the service account in
/// `folder`. not_found if the variables are not set.
Result<ClientConfig>
in_cluster_config(const std::string &folder = "/var/run/secrets/kubernetes.io/serviceaccount");

/// What every daemon does with --kubeconfig and --master: the file if given, else in-cluster.
/// `master` replaces the server of either.
Result<ClientConfig> client_config(const std::string &kubeconfig, const std::string &master);

} // namespace sluice::kube
