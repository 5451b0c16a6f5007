#pragma once
// The names of kernel objects, made from what they belong to: DEL, CHECK and GC find them without
// the pod's namespace and without a record.

#include "cni/protocol/environment.hpp"
#include "net/ip_address.hpp"
#include "net/mac_address.hpp"

#include <optional>
#include <string>

namespace sluice::cni {

/// "veth" and 11 hexadecimal digits: what NetworkManager and firewalls take for a container's link.
std::string host_link_name(const std::string &network, const Attachment &attachment);

/// The same form, for the bridge port of the gateway's link `gateway` ("cni0.100").
std::string gateway_port_name(const std::string &gateway);

/// The IFLA_IFALIAS of the host link: "sluice <network> <container id> <interface>". GC reads it
/// back.
std::string host_link_alias(const std::string &network, const Attachment &attachment);
struct LinkOwner {
  std::string network;
  Attachment attachment;
};
/// nullopt if the alias is none of ours.
std::optional<LinkOwner> parse_host_link_alias(std::string_view alias);

/// Of the host's end: locally administered, the same for an attachment for ever.
MacAddress host_mac(const std::string &network, const Attachment &attachment);
/// Of the pod's end, made from its address: who gets an address again gets its MAC too, so what
/// neighbours remember of it stays true and nothing has to be announced.
MacAddress pod_mac(const std::string &network, const IpAddress &ip);

} // namespace sluice::cni
