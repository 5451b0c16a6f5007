// The whole first load as text. SLUICE_UPDATE_GOLDENS=1 rewrites the files; review the difference.

#include "proxy/nftables/mirror.hpp"
#include "proxy/nftables/tests/tables.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace sluice::proxy::nftables {
namespace {

using namespace tests;

std::string first_load(Family family) {
  auto table = empty_table(family);
  const bool v4 = family == Family::ipv4;
  const auto pod = [&](const char *last) {
    return (v4 ? "10.244.0." : "[fd00:10:244::") + std::string(last);
  };
  const auto at = [&](const char *last, const char *port) {
    return Backend{.address = socket_address(pod(last) + (v4 ? "" : "]") + ":" + port)};
  };
  table.backendSets[BackendSetId(1)] = {at("7", "8080"), at("8", "8080")};
  table.backendSets[BackendSetId(1)].front().local = true;
  table.backendSets[BackendSetId(2)] = {at("9", "53")};
  const std::string vip = v4 ? "10.96.0." : "[fd00:10:96::";
  const auto service = [&](const char *last) { return vip + last + (v4 ? "" : "]"); };
  table.frontends[frontend(service("1") + ":80")] = cluster_ip(1);
  table.frontends[frontend(service("2") + ":53", Protocol::udp)] = cluster_ip(2, "dns");
  table.frontends[frontend(service("3") + ":443")] = cluster_ip(0, "empty");
  auto external = cluster_ip(1);
  external.kind = FrontendKind::external_ip;
  external.from_pod.masquerade = true;
  table.frontends[frontend((v4 ? "198.51.100.1" : "[2001:db8:1::1]") + std::string(":80"))] =
      external;
  Mirror mirror(family, {});
  const auto plan = mirror.plan_start(Actual{}, table);
  std::string text;
  for (const auto &batch : plan.before)
    text += "# commit\n" + batch.str();
  return text + "# commit\n" + plan.change.str();
}

TEST(proxy_nftables_golden, the_first_load_is_as_written_down) {
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const std::string path = std::string(SLUICE_SOURCE_DIR) + "/proxy/nftables/tests/golden/" +
                             (family == Family::ipv4 ? "first_load_ip" : "first_load_ip6") + ".txt";
    const auto text = first_load(family);
    if (std::getenv("SLUICE_UPDATE_GOLDENS") != nullptr)
      std::ofstream(path) << text;
    std::ifstream in(path);
    std::ostringstream golden;
    golden << in.rdbuf();
    EXPECT_EQ(text, golden.str()) << path;
  }
}

} // namespace
} // namespace sluice::proxy::nftables
