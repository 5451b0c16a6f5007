#pragma once
// An API server as large as needed that holds no object: it writes each when it is asked for.
// N Services of 10 endpoints each, as kube-apiserver shows them, and one Node. WatchList only.

#include "kernel/netns.hpp"
#include "kube/http/server.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace sluice::bench {

inline constexpr std::uint32_t kEndpoints = 10;

class ClusterApi {
public:
  /// Addresses: those of Service s and of endpoint e are so many behind these.
  static constexpr std::uint32_t kFirstClusterIp = 0x0a600001, kFirstEndpoint = 0x0b000001;

  /// Listens on 127.0.0.1 in the namespace, which outlives it.
  static Result<std::unique_ptr<ClusterApi>> start(const kernel::NetNs &where,
                                                   std::uint32_t services);
  ~ClusterApi();
  /// "http://127.0.0.1:1234"
  std::string url() const;
  std::size_t bytes_sent() const noexcept { return bytes_; }

  /// The MODIFIED event of a Service's slice. Endpoints are numbers, their addresses are theirs
  /// alone; those of Service s are s * 10 to s * 10 + 9 at first.
  std::shared_ptr<const std::string> slice_event(std::uint32_t service,
                                                 const std::vector<std::uint32_t> &endpoints);
  /// To everybody who watches slices. Returns before it is sent.
  void send(std::shared_ptr<const std::string> event);
  static std::vector<std::uint32_t> endpoints_of(std::uint32_t service);

private:
  explicit ClusterApi(std::uint32_t services) : services_(services) {}
  void answer(const std::shared_ptr<kube::http::Exchange> &exchange);
  void feed(const std::string &plural, const std::shared_ptr<kube::http::Stream> &stream);

  const std::uint32_t services_;
  std::atomic<std::uint64_t> version_{1};
  std::atomic<std::size_t> bytes_{0};
  std::mutex mutex_;                                                   // guards what follows
  std::vector<std::shared_ptr<kube::http::Stream>> watchers_, silent_; ///< of slices; of others
  std::vector<std::thread> feeders_;
  std::unique_ptr<kube::http::Server> server_;
};

} // namespace sluice::bench
