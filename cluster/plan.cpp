#include "cluster/plan.hpp"

#include <algorithm>

namespace sluice::cluster {
namespace {

constexpr std::size_t kNameLimit = 40;
constexpr unsigned kNodeLimit = 200;
constexpr std::uint16_t kApiPort = 6443;

struct Ranges {
  const char *underlay, *pods, *services;
};

Ranges ranges_of(Family family) {
  if (family == Family::ipv4)
    return {"172.18.0.0/24", "10.244.0.0/16", "10.96.0.0/16"};
  return {"fd00:172:18::/64", "fd00:10:244::/56", "fd00:10:96::/112"};
}

InterfaceAddress underlay_address(Family family, unsigned index) {
  const auto network = *Cidr::parse(ranges_of(family).underlay);
  return {network.address().advanced(index), network.prefix_length()};
}

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

NodePlan plan_node(const Options &options, unsigned number) {
  NodePlan node;
  node.name = "node" + std::to_string(number);
  node.netns_name = "slc-" + options.name + "-" + node.name;
  for (const auto family : options.families)
    node.addresses.push_back(underlay_address(family, 10 + number));
  return node;
}

} // namespace

Result<std::vector<Family>> parse_families(std::string_view text) {
  if (text == "dual")
    return std::vector{Family::ipv4, Family::ipv6};
  if (text == "ipv4")
    return std::vector{Family::ipv4};
  if (text == "ipv6")
    return std::vector{Family::ipv6};
  return fail(Errc::invalid_input,
              "IP family \"" + std::string(text) + "\": must be dual, ipv4 or ipv6");
}

Result<> check_cluster_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kNameLimit &&
                    std::all_of(name.begin(), name.end(), is_label_character) &&
                    name.front() != '-' && name.back() != '-';
  if (good)
    return {};
  return fail(Errc::invalid_input,
              "cluster name \"" + std::string(name) +
                  "\": must be 1 to 40 small letters, digits and '-', with no '-' at either end");
}

Result<Plan> plan_cluster(const Options &options) {
  if (auto name = check_cluster_name(options.name); !name)
    return fail(std::move(name.error()));
  if (options.nodes < 1 || options.nodes > kNodeLimit)
    return fail(Errc::invalid_input, std::to_string(options.nodes) + " nodes: must be 1 to 200");
  Plan plan;
  plan.name = options.name;
  plan.proxy_mode = options.proxy_mode;
  plan.fabric_netns_name = "slc-" + options.name + "-fabric";
  for (const auto family : options.families) {
    plan.fabric_addresses.push_back(underlay_address(family, 1));
    plan.pod_cidrs.push_back(*Cidr::parse(ranges_of(family).pods));
    plan.service_cidrs.push_back(*Cidr::parse(ranges_of(family).services));
  }
  plan.api = {plan.fabric_addresses.front().ip, Port(kApiPort)};
  for (unsigned number = 1; number <= options.nodes; ++number)
    plan.nodes.push_back(plan_node(options, number));
  return plan;
}

bool is_netns_of(std::string_view netns_name, std::string_view cluster_name) {
  const std::string prefix = "slc-" + std::string(cluster_name) + "-";
  if (netns_name.substr(0, prefix.size()) != prefix)
    return false;
  const auto rest = netns_name.substr(prefix.size());
  return rest == "fabric" || (rest.substr(0, 4) == "node" && is_number(rest.substr(4)));
}

Paths Paths::of(const std::string &cluster_name, const std::string &root) {
  const auto folder = root + "/" + cluster_name;
  return {folder, folder + "/cluster.json", folder + "/kubeconfig", folder + "/controlplane"};
}

std::string cgroup_of(const std::string &cgroup2, const std::string &cluster_name) {
  return cgroup2 + "/sluice-clusters/" + cluster_name;
}

} // namespace sluice::cluster
