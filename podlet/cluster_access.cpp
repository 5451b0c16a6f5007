#include "podlet/cluster_access.hpp"

#include "kernel/files.hpp"
#include "podlet/pod_status.hpp"

#include <nlohmann/json.hpp>

namespace sluice::podlet {
namespace {

using nlohmann::json;

constexpr int kTokenLifeSeconds = 3607; // as kubelet asks: an hour, and a sign of who asked

Result<std::string> authority_of(const kube::ClientConfig &config) {
  if (config.certificateAuthority.file.empty())
    return config.certificateAuthority.data;
  return kernel::read_file(config.certificateAuthority.file);
}

} // namespace

Time token_renewal(Time issued, Time expires) { return issued + (expires - issued) * 4 / 5; }

Result<ClusterAccess::ApiAddress> ClusterAccess::api_address() {
  const std::lock_guard lock(mutex_);
  if (address_)
    return *address_;
  SLUICE_ASSIGN(const auto service,
                client_.get(kube::rest_of<kube::Service>(), {"default", "kubernetes"}),
                "find the API server's address for pods");
  const auto spec = service.value("spec", json::object());
  const auto host = spec.value("clusterIP", "");
  const auto port = spec.value(json::json_pointer("/ports/0/port"), 0);
  if (host.empty() || port == 0)
    return fail(Errc::not_found, "service \"default/kubernetes\" has no address yet");
  address_ = {host, std::to_string(port)};
  return *address_;
}

Result<Time> ClusterAccess::write_service_account(const kube::Pod &pod, const std::string &folder) {
  const auto account =
      pod.serviceAccountName.empty() ? std::string("default") : pod.serviceAccountName;
  const auto doing = "token of service account \"" + account + "\"";
  kube::HttpRequest request;
  request.method = "POST";
  request.path =
      "/api/v1/namespaces/" + pod.metadata.namespace_ + "/serviceaccounts/" + account + "/token";
  request.contentType = "application/json";
  request.timeout = std::chrono::seconds(5);
  request.body = json{{"apiVersion", "authentication.k8s.io/v1"},
                      {"kind", "TokenRequest"},
                      {"spec",
                       {{"expirationSeconds", kTokenLifeSeconds},
                        {"boundObjectRef",
                         {{"apiVersion", "v1"},
                          {"kind", "Pod"},
                          {"name", pod.metadata.name},
                          {"uid", pod.metadata.uid}}}}}}
                     .dump();
  const auto now = std::chrono::system_clock::now();
  SLUICE_ASSIGN(const auto answer, client_.call(request), doing);
  const auto status = answer.value("status", json::object());
  const auto token = status.value("token", "");
  if (token.empty())
    return fail(Errc::unavailable, doing + ": the API server's answer holds no token");
  SLUICE_ASSIGN(const auto authority, authority_of(client_.config()), doing);
  SLUICE_TRY(kernel::make_folders(folder), doing);
  SLUICE_TRY(kernel::write_file(folder + "/token", token), doing);
  SLUICE_TRY(kernel::write_file(folder + "/ca.crt", authority), doing);
  SLUICE_TRY(kernel::write_file(folder + "/namespace", pod.metadata.namespace_), doing);
  return token_renewal(now, from_rfc3339(status.value("expirationTimestamp", "")));
}

} // namespace sluice::podlet
