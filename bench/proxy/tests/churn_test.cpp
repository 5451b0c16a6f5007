// A thousand endpoint changes a second, for 10 s (SLUICE_CHURN_SECONDS=60 for a minute): the real
// daemon keeps up, loses none, and does not grow.

#include "bench/proxy/proxy_process.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "proxy/nftables/actual.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <random>

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;
namespace nftables = proxy::nftables;

constexpr std::uint32_t kServices = 100;
constexpr int kPerSecond = 1000;

/// The endpoints that the kernel would pick for each Service, as numbers of ClusterApi.
class KernelState {
public:
  explicit KernelState(const kernel::NetNs &ns)
      : nft_(*ns.run([] { return kernel::nft::NftSocket::open(); })) {}

  std::vector<std::vector<std::uint32_t>> read() {
    const auto actual = nftables::read_actual(nft_, table_);
    EXPECT_TRUE(actual) << actual.error().what();
    std::vector<std::vector<std::uint32_t>> all(kServices);
    for (std::uint32_t s = 0; actual && s < kServices; ++s)
      all[s] = endpoints(*actual, s);
    return all;
  }

private:
  static std::vector<std::uint32_t> endpoints(const nftables::Actual &actual,
                                              std::uint32_t service) {
    const proxy::Frontend frontend{IpAddress::from_v4(ClusterApi::kFirstClusterIp + service),
                                   Port(80), Protocol::tcp};
    const auto &frontends = actual.of(nftables::kFrontends);
    const auto found = frontends.find(nftables::frontend_key(frontend));
    if (found == frontends.end())
      return {};
    const auto set = nftables::sets_of(found->second)[0];
    const auto count = actual.of(nftables::kCounts).find(nftables::number(set));
    std::vector<std::uint32_t> out;
    for (std::uint32_t slot = 0;
         count != actual.of(nftables::kCounts).end() && slot < count->second.u32_at(0); ++slot)
      if (const auto at = actual.of(nftables::kSlots).find(nftables::slot_key(set, slot));
          at != actual.of(nftables::kSlots).end())
        out.push_back(nftables::endpoint_of(Family::ipv4, at->second).ip.v4() -
                      ClusterApi::kFirstEndpoint);
    std::sort(out.begin(), out.end());
    return out;
  }

  kernel::nft::TableId table_{kernel::nft::TableFamily::ipv4, "sluice-proxy"};
  kernel::nft::NftSocket nft_;
};

TEST(bench_proxy_churn, a_thousand_changes_a_second_are_all_in_the_kernel_at_the_end) {
  const char *asked = std::getenv("SLUICE_CHURN_SECONDS");
  const int changes = (asked == nullptr ? 10 : std::max(1, std::atoi(asked))) * kPerSecond;
  auto ns = kernel::NetNs::create();
  ASSERT_TRUE(ns) << ns.error().what();
  auto api = ClusterApi::start(*ns, kServices);
  ASSERT_TRUE(api) << api.error().what();
  auto proxy = ProxyProcess::start(*ns, **api);
  ASSERT_TRUE(proxy) << proxy.error().what();

  std::vector<std::vector<std::uint32_t>> wanted;
  for (std::uint32_t s = 0; s < kServices; ++s)
    wanted.push_back(ClusterApi::endpoints_of(s));
  std::mt19937 random(20261121);
  double warm_mb = 0;
  const auto begin = Clock::now();
  for (int i = 0; i < changes; ++i) {
    const auto service = static_cast<std::uint32_t>(random() % kServices);
    auto &endpoints = wanted[service];
    // One leaves, one comes; sometimes only the one or the other; sometimes nobody is left.
    const auto what = random() % 16;
    if (what == 0)
      endpoints.clear();
    else if (!endpoints.empty() && what != 1)
      endpoints.erase(endpoints.begin() + static_cast<long>(random() % endpoints.size()));
    if (what > 2)
      endpoints.push_back(kServices * kEndpoints + static_cast<std::uint32_t>(i));
    std::sort(endpoints.begin(), endpoints.end());
    (*api)->send((*api)->slice_event(service, endpoints));
    if (i == changes / 5)
      warm_mb = (*proxy)->memory().anonymous_mb;
    std::this_thread::sleep_until(begin + (i + 1) * (1000ms / kPerSecond));
  }
  KernelState kernel(*ns);
  const auto deadline = Clock::now() + 10s;
  while (kernel.read() != wanted && Clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(kernel.read(), wanted);
  EXPECT_LT((*proxy)->memory().anonymous_mb, warm_mb + 2);
}

} // namespace
} // namespace sluice::bench
