#include "proxy/shadow_report.hpp"

namespace sluice::proxy {
namespace {

std::size_t count_node_ports(const Table &table) {
  std::size_t count = 0;
  for (const auto &[frontend, info] : table.frontends)
    count += info.kind == FrontendKind::node_port ? 1 : 0;
  return count;
}

std::string addresses_text(const NodeInfo &node) {
  std::string text;
  for (const auto &ip : node.nodePortAddresses)
    text += (text.empty() ? "" : ", ") + ip.str();
  return text.empty() ? "no address at all" : text;
}

void node_ports(const ProxyOptions &options, const Table &table, std::vector<std::string> &out) {
  const auto count = count_node_ports(table);
  if (count == 0)
    return;
  const auto family = std::string(name_of(table.family));
  const auto these = std::to_string(count) + " nodePorts (" + family + ") ";
  if (!table.node.anyNodePortAddress)
    out.push_back(these + "answer on " + addresses_text(table.node) +
                  " alone; kube-proxy in mode iptables answers on every address of the node unless "
                  "nodePortAddresses says otherwise");
  if (table.family == Family::ipv4 && options.mode != "iptables" &&
      options.config.iptables.localhostNodePorts)
    out.push_back(these + "do not answer on 127.0.0.1; kube-proxy in mode iptables does");
}

} // namespace

std::vector<std::string> what_changes(const ProxyOptions &options, std::span<const Table> tables,
                                      const Surroundings &surroundings) {
  std::vector<std::string> out;
  for (const auto &table : tables)
    node_ports(options, table, out);
  if (options.mode != "iptables" && surroundings.forwardDrops)
    out.push_back(
        "the host's FORWARD policy is DROP, and in this mode nothing accepts what Services "
        "forward, as kube-proxy's chain KUBE-FORWARD does: allow it in the host's firewall");
  out.push_back(
      "a connection to a clusterIP and a port that its Service does not have is refused at "
      "once; in mode iptables kube-proxy lets it out to the default route");
  if (std::any_of(tables.begin(), tables.end(),
                  [](const Table &table) { return !table.node.serviceCidrs.empty(); }))
    out.push_back(
        "a connection to an address of the service ranges that no Service has is dropped");
  if (surroundings.kubeProxyRules)
    out.push_back(options.own.takeOver
                      ? "kube-proxy's rules are here: they are removed after our first sync"
                      : "kube-proxy's rules are here, and stay (--take-over=false)");
  if (surroundings.ipvs)
    out.push_back("kube-proxy's IPVS services are here: they carry their connections until "
                  "sluice-proxy --cleanup");
  return out;
}

} // namespace sluice::proxy
