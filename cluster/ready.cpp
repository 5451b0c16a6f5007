#include "cluster/ready.hpp"

#include "kube/api_client.hpp"

#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

namespace sluice::cluster {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{50};

/// Asks `ready` again and again; it says what is still missing, or "".
template <class Ask> Result<> poll_until(Clock::time_point deadline, Ask ready) {
  for (;;) {
    const std::string missing = ready();
    if (missing.empty())
      return {};
    if (Clock::now() >= deadline)
      return fail(Errc::timeout, "gave up: " + missing);
    std::this_thread::sleep_for(kPause);
  }
}

Result<std::unique_ptr<kube::ApiClient>> client_of(const std::string &kubeconfig) {
  SLUICE_ASSIGN(auto config, kube::read_kubeconfig(kubeconfig), "read kubeconfig");
  return kube::ApiClient::create(std::move(config));
}

std::string what_is_missing(const nlohmann::json &node) {
  const nlohmann::json::json_pointer conditions("/status/conditions");
  for (const auto &condition : node.value(conditions, nlohmann::json::array()))
    if (condition.value("type", "") == "Ready")
      return condition.value("status", "") == "True"
                 ? ""
                 : condition.value("reason", "") + ": " + condition.value("message", "");
  return "the node has not reported its state yet";
}

} // namespace

Result<> wait_for_file(const std::string &path, Clock::time_point deadline) {
  return poll_until(deadline, [&]() -> std::string {
    return ::access(path.c_str(), F_OK) == 0 ? "" : "\"" + path + "\" does not exist yet";
  });
}

Result<> wait_for_api(const std::string &kubeconfig, Clock::time_point deadline) {
  SLUICE_ASSIGN(const auto client, client_of(kubeconfig), "wait for the API server");
  kube::HttpRequest request;
  request.path = "/readyz";
  request.timeout = std::chrono::seconds(2);
  return poll_until(deadline, [&]() -> std::string {
    const auto answer = client->send(request);
    if (!answer)
      return answer.error().what();
    return answer->status == 200 ? "" : "/readyz answers " + std::to_string(answer->status);
  });
}

Result<> wait_for_node(const std::string &kubeconfig, const std::string &name,
                       Clock::time_point deadline) {
  SLUICE_ASSIGN(const auto client, client_of(kubeconfig), "wait for the node");
  return poll_until(deadline, [&]() -> std::string {
    const auto node = client->get(kube::rest_of<kube::Node>(), {"", name});
    return node ? what_is_missing(*node) : node.error().what();
  });
}

} // namespace sluice::cluster
