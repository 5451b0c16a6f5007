// stdin: any bytes as the configuration of each plugin, as ADD and as DEL read it.
#include "cni/bandwidth_config.hpp"
#include "cni/bridge_config.hpp"
#include "cni/direct_plan.hpp"
#include "cni/flannel_config.hpp"
#include "cni/policy_agent.hpp"
#include "cni/portmap/config.hpp"
#include "cni/protocol/fuzz/require.hpp"
#include "cni/tuning_config.hpp"
#include "ipam/allocator.hpp"

namespace sluice::cni {
namespace {

/// An address of each set, inside its range and no gateway, or a reason.
void allocate(const NetworkConfig &config) {
  const auto ipam = ipam::parse_ipam_config(config, "");
  if (!worked(ipam))
    return;
  const auto choices =
      ipam::choose(*ipam, std::vector<std::optional<IpAddress>>(ipam->sets.size()), {}, {});
  if (!worked(choices))
    return;
  require(choices->size() == ipam->sets.size(), "one address of each set");
  for (const auto &choice : *choices) {
    require(choice.range.contains(choice.ip), "an address lies in its range", choice.ip.str());
    require(choice.range.subnet.contains(choice.ip), "and in its subnet", choice.ip.str());
    require(!ipam->sets[choice.set].is_gateway(choice.ip), "no gateway is given out");
  }
}

void read_flannel(const NetworkConfig &config) {
  const auto env = parse_subnet_env("FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.2.1/24\n"
                                    "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  const auto delegate = delegate_config(config, *env);
  if (worked(delegate))
    require(JsonDocument::parse(*delegate).has_value(), "a delegate gets JSON", *delegate);
}

void read_by_every_plugin(const NetworkConfig &config) {
  (void)worked(parse_bridge_config(config, ""));
  (void)worked(parse_direct_config(config, "", Layout::ptp));
  (void)worked(parse_direct_config(config, "", Layout::routed));
  (void)worked(parse_bandwidth_config(config));
  (void)worked(parse_tuning_config(config, "", "eth0"));
  (void)worked(parse_policy_config(config));
  if (const auto ports = parse_portmap_config(config); worked(ports))
    for (const auto family : {Family::ipv4, Family::ipv6})
      (void)mappings_of(*ports, family);
  allocate(config);
  read_flannel(config);
}

} // namespace
} // namespace sluice::cni

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
  using namespace sluice::cni;
  const std::string text(text_of(data, size));
  const auto strict = parse_config(text, Strictness::strict);
  const auto lenient = parse_config(text, Strictness::lenient);
  if (worked(lenient)) {
    (void)wants_spoof_check(*lenient);
    (void)sluice::ipam::store_folder(*lenient);
    (void)tuning_data_dir(*lenient);
    (void)flannel_files(*lenient);
  }
  if (!worked(strict))
    return 0;
  require(lenient.has_value(), "DEL reads what ADD reads");
  require(strict->name == lenient->name && strict->version == lenient->version,
          "DEL and ADD mean the same network");
  require(read_version(text) == strict->version, "an error has the configuration's version");
  read_by_every_plugin(*strict);
  return 0;
}
