#include "cni/names.hpp"

#include "net/hash.hpp"

namespace sluice::cni {
namespace {

constexpr std::string_view kAliasPrefix = "sluice ";

/// No field holds a zero byte, so no two attachments have the same text.
std::uint64_t hash_of(const std::string &network, const Attachment &attachment) {
  std::string text = network;
  text += '\0';
  text += attachment.container_id;
  text += '\0';
  text += attachment.ifname;
  return fnv1a_64(text);
}

} // namespace

std::string host_link_name(const std::string &network, const Attachment &attachment) {
  return "veth" + hex(hash_of(network, attachment), 11);
}

std::string gateway_port_name(const std::string &gateway) {
  return "veth" + hex(fnv1a_64(gateway), 11);
}

std::string host_link_alias(const std::string &network, const Attachment &attachment) {
  return std::string(kAliasPrefix) + network + " " + attachment.container_id + " " +
         attachment.ifname;
}

std::optional<LinkOwner> parse_host_link_alias(std::string_view alias) {
  if (!alias.starts_with(kAliasPrefix))
    return std::nullopt;
  alias.remove_prefix(kAliasPrefix.size());
  const auto first = alias.find(' ');
  const auto second = alias.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos)
    return std::nullopt;
  return LinkOwner{std::string(alias.substr(0, first)),
                   {std::string(alias.substr(first + 1, second - first - 1)),
                    std::string(alias.substr(second + 1))}};
}

MacAddress host_mac(const std::string &network, const Attachment &attachment) {
  return MacAddress::from_seed(hash_of(network, attachment));
}

MacAddress pod_mac(const std::string &network, const IpAddress &ip) {
  return MacAddress::from_seed(fnv1a_64(network + " " + ip.str()));
}

} // namespace sluice::cni
