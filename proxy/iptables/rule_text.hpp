#pragma once
// Parts of rules, word for word as iptables-save(8) prints them.

#include "proxy/iptables/dataplane.hpp"

namespace sluice::proxy::iptables {

/// "tcp".
std::string lower_name(Protocol protocol);
/// "-p tcp -m tcp --dport 80", with the comment between the protocol and its match.
std::string port_match(const Frontend &frontend, const std::string &comment);
/// Where to: "-d 10.0.0.1/32 -p tcp ...", or without an address only "-p tcp ...".
std::string frontend_match(const Frontend &frontend, const std::string &comment);
/// `-m comment --comment "ns/name:port"`
std::string comment_of(const ServicePortName &service);

/// One phrase for each way to be a local pod; none if nobody is. "" matches everything.
std::vector<std::string> pod_phrases(const LocalDetector &detector);
/// The source is an address of this node.
inline constexpr auto kFromNode = "-m addrtype --src-type LOCAL";
/// One phrase for each way to be addressed to a nodePort.
std::vector<std::string> node_port_phrases(Family family, const NodeInfo &node);

std::string set_mark(std::uint32_t bits);       ///< "-j MARK ..."
std::string clear_set_mark(std::uint32_t bits); ///< of a packet that has the bits
std::string set_ct_mark(std::uint32_t bits);    ///< "-j CONNMARK ..."
std::string ct_mark_has(std::uint32_t bits);    ///< "-m connmark ..."
std::string mark_has(std::uint32_t bits);       ///< "-m mark ..."
std::string mark_lacks(std::uint32_t bits);
inline constexpr auto kMasquerade = "-j MASQUERADE --random-fully";
std::string refuse(Family family, WhenEmpty verdict);
std::string dnat(const SocketAddress &endpoint);
/// A rule that takes one of `left` packets; "" takes all.
std::string one_of(std::size_t left);

/// The words that are not empty, with blanks between.
std::string words(std::initializer_list<std::string_view> parts);

} // namespace sluice::proxy::iptables
