#include "proxy/cases/places.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice::proxy::cases {
namespace {

IpAddress parsed(const char *text) { return IpAddress::parse(text).value(); }

} // namespace

const std::vector<Place> &places() {
  static const std::vector<Place> all = {
      // pods of n1: two clients, endpoints
      {"P", "10.0.0.2", At::pod},
      {"P2", "10.0.0.3", At::pod},
      {"B", "198.51.100.7", At::pod},
      {"V", "10.0.0.12", At::veth},
      {"L", "10.180.0.1", At::pod},
      {"L2", "10.180.0.2", At::pod},
      {"L3", "10.180.0.3", At::pod},
      {"L4", "10.180.0.4", At::pod},
      // n1
      {"N", "192.168.0.2", At::node},
      {"n1", "192.168.0.2", At::node},
      {"H", "192.168.0.2", At::node},
      {"N2", "192.168.1.2", At::node},
      {"LO", "127.0.0.1", At::node},
      {"HLB", "1.2.3.4", At::node},
      {"HVIP", "192.168.0.100", At::node},
      // pods of n2
      {"Q", "10.180.1.9", At::remote},
      {"R", "10.180.1.1", At::remote},
      {"R2", "10.180.1.2", At::remote},
      {"A1", "10.180.1.11", At::remote},
      {"B1", "10.180.1.12", At::remote},
      {"C1", "10.180.1.13", At::remote},
      {"A2", "10.180.1.14", At::remote},
      // neither
      {"X", "203.0.113.2", At::outside},
      {"XB", "203.0.113.130", At::outside},
      {"W", "10.0.0.9", At::outside},
      // Services
      {"C", "172.30.0.41", At::service},
      {"C2", "172.30.0.42", At::service},
      {"CU", "172.30.0.43", At::service},
      {"C3", "172.30.0.44", At::service},
      {"FREE", "172.30.0.50", At::service},
      {"LB", "1.2.3.4", At::service},
      {"LB1", "1.2.3.4", At::service},
      {"LB2", "5.6.7.8", At::service},
      {"LB3", "5.6.7.9", At::service},
      {"E", "192.168.99.22", At::service},
      {"EU", "192.168.99.23", At::service},
  };
  return all;
}

const Place *find_place(const std::string &name) {
  for (const auto &place : places())
    if (name == place.name)
      return &place;
  return nullptr;
}

IpAddress as_ipv6(const IpAddress &v4) {
  if (!v4.is_v4())
    return v4;
  if (v4.is_loopback())
    return parsed("::1");
  if (v4.is_unspecified())
    return parsed("::");
  return parsed("fd04::").advanced(v4.v4());
}

Cidr as_ipv6(const Cidr &v4) {
  if (v4.family() == Family::ipv6)
    return v4;
  if (v4.prefix_length() == 0)
    return Cidr(parsed("::"), 0);
  return Cidr(as_ipv6(v4.address()), 96 + v4.prefix_length());
}

std::optional<IpAddress> AddressBook::find(const std::string &text) const {
  const auto converted = [](const IpAddress &ip, Family family) {
    return family == Family::ipv4 ? ip : as_ipv6(ip);
  };
  if (const auto *place = find_place(text))
    return converted(parsed(place->address), family_);
  if (!text.empty() && text.back() == '6')
    if (const auto *place = find_place(text.substr(0, text.size() - 1)))
      return as_ipv6(parsed(place->address));
  if (const auto plus = text.find('+'); plus != std::string::npos) {
    const auto base = find(text.substr(0, plus));
    return base ? std::optional(base->advanced(std::atoi(text.c_str() + plus + 1))) : std::nullopt;
  }
  if (const auto ip = IpAddress::parse(text))
    return converted(*ip, family_);
  return std::nullopt;
}

IpAddress AddressBook::address(const std::string &text) const {
  const auto found = find(text);
  if (!found) {
    std::fprintf(stderr, "the cases know no place \"%s\"\n", text.c_str());
    std::abort();
  }
  return *found;
}

std::string AddressBook::field(const std::string &text) const {
  if (const auto ip = find(text))
    return ip->str();
  if (const auto cidr = Cidr::parse(text); cidr && family_ == Family::ipv6)
    return as_ipv6(*cidr).str();
  return text;
}

std::string AddressBook::name_of(const IpAddress &ip) const {
  for (const auto &place : places()) {
    if (find(place.name) == ip)
      return std::string(place.name) == "N" ? "H" : place.name;
    if (as_ipv6(parsed(place.address)) == ip)
      return std::string(place.name) + "6";
  }
  return ip.str();
}

const char *interface_of(At at) {
  switch (at) {
  case At::pod:
    return "cni0";
  case At::veth:
    return "veth12";
  case At::node:
    return "";
  default:
    return "eth0";
  }
}

} // namespace sluice::proxy::cases
