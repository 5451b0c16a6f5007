#include "kernel/tests/rtnl_rules.hpp"

namespace sluice::kernel::testing {
namespace {

/// The namespace lives as long as the socket does.
std::unique_ptr<Rtnl> fresh_namespace() {
  const auto ns = NetNs::create();
  if (!ns)
    return nullptr;
  auto socket = ns->run([] { return RtnlSocket::open(); });
  return socket ? std::make_unique<RtnlSocket>(std::move(*socket)) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(kernel, RtnlRules, ::testing::Values(RtnlFactory(fresh_namespace)));

} // namespace
} // namespace sluice::kernel::testing
