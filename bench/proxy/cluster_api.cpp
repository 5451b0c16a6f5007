#include "bench/proxy/cluster_api.hpp"

#include "net/ip_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024, kMostPendingBytes = 4 * 1024 * 1024;

Result<UniqueFd> listen_on_loopback() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 64) != 0)
    return fail(Error::from_errno(errno, "listen for the API"));
  return fd;
}

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

std::string uid(std::uint32_t number) {
  char text[40];
  std::snprintf(text, sizeof text, "%08x-4f3c-4a51-9d0e-6b7a12c0%04x", number, number & 0xffff);
  return text;
}

std::string metadata(const std::string &name, std::uint32_t number, std::uint64_t version,
                     const std::string &more) {
  return R"("metadata":{"name":)" + quoted(name) + R"(,"namespace":"default","uid":)" +
         quoted(uid(number)) + R"(,"resourceVersion":)" + quoted(std::to_string(version)) +
         R"(,"creationTimestamp":"2026-11-21T10:00:00Z")" + more + "}";
}

std::string service(std::uint32_t number, std::uint64_t version) {
  const auto ip = quoted(IpAddress::from_v4(ClusterApi::kFirstClusterIp + number).str());
  const auto name = "service-" + std::to_string(number);
  return R"({"kind":"Service","apiVersion":"v1",)" +
         metadata(name, number, version, R"(,"labels":{"app":)" + quoted(name) + "}") +
         R"(,"spec":{"ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":8080}],)" +
         R"("selector":{"app":)" + quoted(name) + R"(},"clusterIP":)" + ip + R"(,"clusterIPs":[)" +
         ip + R"(],"type":"ClusterIP","sessionAffinity":"None","ipFamilies":["IPv4"],)" +
         R"("ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster"},)" +
         R"("status":{"loadBalancer":{}}})";
}

std::string endpoint(std::uint32_t number) {
  const auto pod = "service-" + std::to_string(number / kEndpoints) + "-5d9c8b7f6d-" +
                   std::to_string(number % 99999);
  return R"({"addresses":[)" +
         quoted(IpAddress::from_v4(ClusterApi::kFirstEndpoint + number).str()) +
         R"(],"conditions":{"ready":true,"serving":true,"terminating":false},)" +
         R"("targetRef":{"kind":"Pod","namespace":"default","name":)" + quoted(pod) + R"(,"uid":)" +
         quoted(uid(number)) + R"(},"nodeName":"node-)" + std::to_string(number % 250) +
         R"(","zone":"zone-)" + std::to_string(number % 3) + "\"}";
}

std::string slice(std::uint32_t number, std::uint64_t version,
                  const std::vector<std::uint32_t> &endpoints) {
  const auto of = "service-" + std::to_string(number);
  std::string text =
      R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1",)" +
      metadata(
          of + "-x7k2p", number, version,
          R"(,"generateName":)" + quoted(of + "-") + R"(,"generation":7,"labels":{"app":)" +
              quoted(of) +
              R"(,"endpointslice.kubernetes.io/managed-by":)"
              R"("endpointslice-controller.k8s.io","kubernetes.io/service-name":)" +
              quoted(of) +
              R"(},"annotations":{"endpoints.kubernetes.io/last-change-trigger-time":)"
              R"("2026-11-21T10:00:00Z"},"ownerReferences":[{"apiVersion":"v1",)"
              R"("kind":"Service","name":)" +
              quoted(of) + R"(,"uid":)" + quoted(uid(number)) +
              R"(,"controller":true,"blockOwnerDeletion":true}],"managedFields":[{"manager":)"
              R"("kube-controller-manager","operation":"Update","apiVersion":)"
              R"("discovery.k8s.io/v1","time":"2026-11-21T10:00:00Z","fieldsType":"FieldsV1",)"
              R"("fieldsV1":{"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":)"
              R"({".":{}},"f:generateName":{},"f:labels":{".":{}},"f:ownerReferences":{}},)"
              R"("f:ports":{}}}])") +
      R"(,"addressType":"IPv4","endpoints":[)";
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    text += (i == 0 ? "" : ",") + endpoint(endpoints[i]);
  return text + R"(],"ports":[{"name":"http","port":8080,"protocol":"TCP"}]})";
}

std::string event(const char *type, const std::string &object) {
  return std::string(R"({"type":")") + type + R"(","object":)" + object + "}\n";
}

std::string initial_end(std::uint64_t version) {
  return R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":)" +
         quoted(std::to_string(version)) +
         R"(,"annotations":{"k8s.io/initial-events-end":"true"}}}})"
         "\n";
}

} // namespace

Result<std::unique_ptr<ClusterApi>> ClusterApi::start(const kernel::NetNs &where,
                                                      std::uint32_t services) {
  std::unique_ptr<ClusterApi> api(new ClusterApi(services));
  SLUICE_ASSIGN(auto socket, where.run(listen_on_loopback), "start the API");
  kube::http::ServerOptions options;
  options.sockets.push_back(std::move(socket));
  auto *self = api.get();
  SLUICE_ASSIGN(api->server_,
                kube::http::Server::start(std::move(options),
                                          [self](std::shared_ptr<kube::http::Exchange> exchange) {
                                            self->answer(exchange);
                                          }),
                "start the API");
  return api;
}

ClusterApi::~ClusterApi() {
  server_.reset();
  for (auto &feeder : feeders_)
    feeder.join();
}

std::string ClusterApi::url() const {
  return "http://127.0.0.1:" + std::to_string(server_->addresses().front().port.value);
}

std::vector<std::uint32_t> ClusterApi::endpoints_of(std::uint32_t service) {
  std::vector<std::uint32_t> endpoints;
  for (std::uint32_t i = 0; i < kEndpoints; ++i)
    endpoints.push_back(service * kEndpoints + i);
  return endpoints;
}

std::shared_ptr<const std::string>
ClusterApi::slice_event(std::uint32_t service, const std::vector<std::uint32_t> &endpoints) {
  return std::make_shared<const std::string>(
      event("MODIFIED", slice(service, ++version_, endpoints)));
}

void ClusterApi::send(std::shared_ptr<const std::string> event) {
  const std::lock_guard lock(mutex_);
  for (const auto &watcher : watchers_)
    watcher->write(event);
}

void ClusterApi::answer(const std::shared_ptr<kube::http::Exchange> &exchange) {
  const auto &request = exchange->request();
  if (request.parameter("sendInitialEvents").empty())
    return exchange->reply({404, "application/json", {}, nullptr});
  const auto plural = request.path.substr(request.path.rfind('/') + 1);
  auto stream = exchange->begin_stream({200, "application/json", {}, nullptr});
  const std::lock_guard lock(mutex_);
  feeders_.emplace_back([this, plural, stream = std::move(stream)] { feed(plural, stream); });
}

void ClusterApi::feed(const std::string &plural,
                      const std::shared_ptr<kube::http::Stream> &stream) {
  std::string chunk;
  const auto flush = [&] {
    bytes_ += chunk.size();
    stream->write(std::make_shared<const std::string>(std::exchange(chunk, {})));
    while (stream->pending_bytes() > kMostPendingBytes)
      ::usleep(200);
  };
  const auto version = ++version_;
  if (plural == "nodes")
    chunk = event("ADDED", R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"u",)"
                           R"("resourceVersion":"1"},"status":{"addresses":)"
                           R"([{"type":"InternalIP","address":"192.0.2.1"}]}})");
  for (std::uint32_t number = 0; plural != "nodes" && number < services_; ++number) {
    chunk += event("ADDED", plural == "services" ? service(number, version)
                                                 : slice(number, version, endpoints_of(number)));
    if (chunk.size() > kChunkBytes)
      flush();
  }
  chunk += initial_end(version);
  flush();
  const std::lock_guard lock(mutex_);
  (plural == "endpointslices" ? watchers_ : silent_).push_back(stream);
}

} // namespace sluice::bench
