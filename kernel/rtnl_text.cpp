// The operations in the words of ip(8).
#include "kernel/rtnl.hpp"

namespace sluice::kernel {
namespace {

constexpr std::uint32_t kMainTable = 254;

std::string name_of(const LinkRef &link) {
  if (const auto *index = std::get_if<IfIndex>(&link))
    return "#" + std::to_string(index->value);
  return std::get<std::string>(link);
}

std::string number_if(const char *word, std::uint32_t value) {
  return value == 0 ? std::string() : std::string(word) + std::to_string(value);
}

std::string text_if(const char *word, const std::string &text) {
  return text.empty() ? std::string() : std::string(word) + text;
}

std::string on_or_off(const char *word, const std::optional<bool> &value) {
  return value ? std::string(word) + (*value ? "on" : "off") : std::string();
}

std::string str(const std::string &verb, const Route &route, const std::string &link_name) {
  const char *type = "";
  if (route.type == 2)
    type = "local ";
  if (route.type == 6)
    type = "blackhole ";
  std::string text = "route " + verb + " " + type +
                     (route.destination.prefix_length() == 0 ? "default" : route.destination.str());
  if (route.gateway)
    text += std::string(" via ") +
            (route.gateway->family() == route.destination.family() ? "" : "inet6 ") +
            route.gateway->str();
  if (route.link.value != 0)
    text += " dev " + name_of(route.link);
  else
    text += text_if(" dev ", link_name);
  text += " proto " + std::to_string(route.protocol);
  if (route.scope == 253)
    text += " scope link";
  if (route.preferred_source)
    text += " src " + route.preferred_source->str();
  if (route.table != kMainTable)
    text += " table " + std::to_string(route.table);
  text += number_if(" metric ", route.priority) + number_if(" mtu ", route.mtu_bytes) +
          number_if(" advmss ", route.advmss);
  return text + (route.onlink ? " onlink" : "");
}

std::string str(const std::string &verb, const Neighbour &neighbour) {
  return "neigh " + verb + (neighbour.proxy ? " proxy " : " ") + neighbour.ip.str() +
         (neighbour.proxy || verb == "del" ? "" : " lladdr " + neighbour.mac.str()) + " dev " +
         name_of(neighbour.link);
}

struct Writer {
  std::string operator()(const CreateBridge &op) const {
    return "link add " + op.name + " type bridge" + number_if(" mtu ", op.mtu_bytes) +
           (op.mac ? " address " + op.mac->str() : "") + (op.up ? " up" : "") +
           (op.netfilter ? " nf_call_iptables 1 nf_call_ip6tables 1" : "") +
           (op.vlan_filtering ? " vlan_filtering 1" : "") + text_if(" alias ", op.alias);
  }
  std::string operator()(const CreateVeth &op) const {
    return "link add " + op.name + (op.index ? " index " + std::to_string(op.index->value) : "") +
           " type veth" + number_if(" mtu ", op.mtu_bytes) +
           (op.mac ? " address " + op.mac->str() : "") +
           (op.master ? " master " + name_of(*op.master) : "") + (op.up ? " up" : "") +
           text_if(" alias ", op.alias) + " peer " + op.peer_name +
           (op.peer_mac ? " address " + op.peer_mac->str() : "") +
           (op.peer_netns_fd ? " netns fd " + std::to_string(*op.peer_netns_fd) : "");
  }
  std::string operator()(const SetLink &op) const {
    std::string text = "link set " + name_of(op.link);
    if (op.up)
      text += *op.up ? " up" : " down";
    text += number_if(" mtu ", op.mtu_bytes.value_or(0)) +
            (op.mac ? " address " + op.mac->str() : "") +
            (op.new_name ? " name " + *op.new_name : "") + (op.alias ? " alias " + *op.alias : "");
    if (op.master)
      text += *op.master == LinkRef(IfIndex(0)) ? " nomaster" : " master " + name_of(*op.master);
    return text + on_or_off(" promisc ", op.promiscuous) +
           on_or_off(" allmulticast ", op.all_multicast) +
           (op.tx_queue_packets ? " txqueuelen " + std::to_string(*op.tx_queue_packets) : "") +
           on_or_off(" hairpin ", op.hairpin) + on_or_off(" isolated ", op.isolated) +
           on_or_off(" type bridge nf_call_iptables,nf_call_ip6tables ", op.netfilter);
  }
  std::string operator()(const DeleteLink &op) const { return "link del " + name_of(op.link); }
  std::string operator()(const AddAddress &op) const {
    return std::string("address ") + (op.replace ? "replace " : "add ") + op.address.str() +
           " dev " + name_of(op.link) + (op.scope == 253 ? " scope link" : "") +
           (op.nodad && !op.address.ip.is_v4() ? " nodad" : "") +
           (op.noprefixroute ? " noprefixroute" : "");
  }
  std::string operator()(const DeleteAddress &op) const {
    return "address del " + op.address.str() + " dev " + name_of(op.link);
  }
  std::string operator()(const AddRoute &op) const {
    const char *verb = op.existing == Existing::replace  ? "replace"
                       : op.existing == Existing::append ? "append"
                                                         : "add";
    return str(verb, op.route, op.link_name.value_or(""));
  }
  std::string operator()(const DeleteRoute &op) const { return str("del", op.route, ""); }
  std::string operator()(const AddNeighbour &op) const { return str("replace", op.neighbour); }
  std::string operator()(const DeleteNeighbour &op) const { return str("del", op.neighbour); }
  std::string operator()(const AddPortVlan &op) const {
    return "bridge vlan add dev " + name_of(op.port) + " vid " + std::to_string(op.vlan) +
           (op.native ? " pvid untagged" : "");
  }
  std::string operator()(const DeletePortVlan &op) const {
    return "bridge vlan del dev " + name_of(op.port) + " vid " + std::to_string(op.vlan);
  }
};

} // namespace

std::string to_string(const RtnlOp &op) { return std::visit(Writer{}, op); }

std::string RtnlBatch::str() const {
  std::string text;
  for (const auto &op : ops_)
    text += to_string(op) + "\n";
  return text;
}

} // namespace sluice::kernel
