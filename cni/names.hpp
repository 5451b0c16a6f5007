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

/// The IFLA_IFALIAS of the host link: "sluice <network> <container id> <interface>". GC reads it
/// back.
std::string host_link_alias(const std::string &network, const Attachment &attachment);
struct LinkOwner {
  std::string network;
  Attachment attachment;
};
/// nullopt if the alias is none of ours.
std::optional<LinkOwner> parse_host_link_alias(std::string_view alias);

/// Locally administered addresses of the two ends. The same attachment has the same ones for ever.
MacAddress host_mac(const std::string &network, const Attachment &attachment);
MacAddress pod_mac(const std::string &network, const Attachment &attachment);

} // namespace sluice::cni
