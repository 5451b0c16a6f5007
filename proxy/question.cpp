#include "proxy/question.hpp"

#include <charconv>

namespace sluice::proxy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

/// A name as Kubernetes allows it: letters, digits, '-' and '.'.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; });
}

/// Cuts what is behind the last `mark` off `text`, without the mark.
std::optional<std::string_view> cut_last(std::string_view &text, char mark) {
  const auto at = text.rfind(mark);
  if (at == std::string_view::npos)
    return std::nullopt;
  const auto tail = text.substr(at + 1);
  text = text.substr(0, at);
  return tail;
}

Error bad_target(std::string_view text) {
  return {Errc::invalid_input,
          "TO " + quoted(text) +
              ": ADDRESS:PORT[/PROTOCOL], node:PORT[/PROTOCOL] or "
              "[NAMESPACE/]SERVICE[:PORT[/PROTOCOL]] is expected, like 10.96.0.10:53/UDP, "
              "node:30080 or kube-system/kube-dns:dns"};
}

/// "10.0.0.1:80", "[::1]:80" or "name:port": a colon that is not part of an IPv6 address.
bool has_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || IpAddress::parse(text))
    return false;
  return text.find(':') == colon || text[colon - 1] == ']';
}

std::optional<std::uint16_t> number_of(const std::string &port) {
  const auto parsed = parse_port(port);
  return parsed ? std::optional(parsed->value) : std::nullopt;
}

std::string ports_of(const ServiceView &view) {
  std::string text;
  for (const auto &port : view.ports)
    text += (text.empty() ? "" : ", ") + (port.name.empty() ? "" : port.name + " ") +
            std::to_string(port.port.value) + "/" + std::string(name_of(port.protocol));
  return text;
}

Result<ServicePortView> find_port(const ServiceView &view, const Target &target) {
  const auto number = number_of(target.port);
  std::vector<const ServicePortView *> found;
  for (const auto &port : view.ports)
    if ((!target.protocol || port.protocol == *target.protocol) &&
        (target.port.empty() || port.name == target.port || (number && port.port.value == *number)))
      found.push_back(&port);
  const auto name = quoted(target.namespace_ + "/" + target.service);
  if (found.empty())
    return fail(Errc::not_found, "Service " + name + " has no port " + quoted(target.port) +
                                     "; it has " + ports_of(view));
  if (found.size() > 1 && target.port.empty())
    return fail(Errc::invalid_input,
                "Service " + name + " has several ports, name one: " + ports_of(view));
  return *found.front();
}

bool suits(const Origin &origin, Family family) {
  return origin.addresses.empty() ||
         std::any_of(origin.addresses.begin(), origin.addresses.end(),
                     [&](const IpAddress &ip) { return ip.family() == family; });
}

Result<IpAddress> source_for(const Origin &origin, Family family, const Model &model) {
  for (const auto &ip : origin.addresses)
    if (ip.family() == family)
      return ip;
  const auto &own = model.table().node.nodeAddresses;
  if (origin.this_node && !own.empty())
    return own.front();
  return fail(Errc::invalid_input,
              "FROM (" + origin.words + ") has no " + std::string(name_of(family)) + " address");
}

Result<Flow> flow_to_address(const Origin &origin, const Target &target, const Model &model) {
  const auto number = number_of(target.port);
  if (!number)
    return fail(Errc::invalid_input,
                "TO: an address needs a port number, not " + quoted(target.port));
  Flow flow;
  SLUICE_ASSIGN(flow.source, source_for(origin, model.family(), model), "explain");
  flow.destination = *target.address;
  flow.destinationPort = Port{*number};
  flow.sourcePort = Port{32768};
  flow.protocol = target.protocol.value_or(Protocol::tcp);
  return flow;
}

/// Where this node takes nodePorts; nothing if nowhere in this family.
std::optional<IpAddress> node_port_address(const Model &model) {
  const auto &node = model.table().node;
  const auto &addresses = node.anyNodePortAddress ? node.nodeAddresses : node.nodePortAddresses;
  if (addresses.empty())
    return std::nullopt;
  return addresses.front();
}

Result<Flow> flow_to_node_port(const Origin &origin, Target target,
                               const std::vector<const Model *> &models) {
  for (const auto *model : models) {
    target.address = node_port_address(*model);
    if (target.address && suits(origin, model->family()))
      return flow_to_address(origin, target, *model);
  }
  return fail(Errc::not_found, "this node has no address that takes nodePorts from " +
                                   origin.words + " (nodePortAddresses)");
}

} // namespace

Result<Place> parse_place(std::string_view text) {
  if (const auto ip = IpAddress::parse(text))
    return Place{Place::Kind::address, *ip, "", ""};
  if (text == "node")
    return Place{Place::Kind::this_node, {}, "", ""};
  auto rest = text;
  const auto name = cut_last(rest, '/');
  if (!name && is_name(text))
    return Place{Place::Kind::pod, {}, "default", std::string(text)};
  if (name && rest == "node" && is_name(*name))
    return Place{Place::Kind::node, {}, "", std::string(*name)};
  if (name && is_name(rest) && rest.find('.') == std::string_view::npos && is_name(*name))
    return Place{Place::Kind::pod, {}, std::string(rest), std::string(*name)};
  return fail(Errc::invalid_input,
              "FROM " + quoted(text) +
                  ": an address, NAMESPACE/POD, \"node\" (this one) or node/NAME is expected");
}

Result<Target> parse_target(std::string_view text) {
  Target target;
  auto rest = text;
  // "/UDP" is a protocol only behind a port: a Service may be called udp.
  auto before = rest;
  if (const auto tail = cut_last(before, '/'); tail && has_port(before)) {
    SLUICE_ASSIGN(target.protocol, parse_protocol(*tail), "TO " + quoted(text));
    rest = before;
  }
  if (has_port(rest))
    target.port = *cut_last(rest, ':');
  else if (!IpAddress::parse(rest) && rest.find(':') != std::string_view::npos)
    return fail(bad_target(text));
  if (rest.size() > 2 && rest.front() == '[' && rest.back() == ']')
    rest = rest.substr(1, rest.size() - 2);
  if (const auto ip = IpAddress::parse(rest)) {
    target.address = *ip;
    if (!number_of(target.port))
      return fail(bad_target(text));
    return target;
  }
  if (rest == "node" && !target.port.empty()) {
    if (!number_of(target.port))
      return fail(bad_target(text));
    target.this_node = true;
    return target;
  }
  const auto name = cut_last(rest, '/');
  target.namespace_ = name ? std::string(rest) : "default";
  target.service = name ? std::string(*name) : std::string(rest);
  if (!is_name(target.namespace_) || !is_name(target.service))
    return fail(bad_target(text));
  return target;
}

Result<Origin> find_origin(const Place &place, const Lookups &lookups) {
  switch (place.kind) {
  case Place::Kind::this_node:
    return Origin{{}, true, "this node"};
  case Place::Kind::address:
    if (lookups.is_ours(*place.address))
      return Origin{{*place.address}, true, "this node's address " + place.address->str()};
    return Origin{{*place.address}, false, place.address->str()};
  case Place::Kind::node: {
    SLUICE_ASSIGN(auto addresses, lookups.node(place.name), "FROM node " + quoted(place.name));
    if (!addresses.empty() && lookups.is_ours(addresses.front()))
      return Origin{std::move(addresses), true, "this node, " + quoted(place.name)};
    return Origin{std::move(addresses), false, "node " + quoted(place.name)};
  }
  case Place::Kind::pod:
    break;
  }
  const kube::ObjectKey key{place.namespace_, place.name};
  SLUICE_ASSIGN(auto addresses, lookups.pod(key), "FROM pod " + quoted(key.str()));
  if (addresses.empty())
    return fail(Errc::not_found, "FROM pod " + quoted(key.str()) + " has no address yet");
  const bool host = lookups.is_ours(addresses.front());
  return Origin{std::move(addresses), host,
                "pod " + quoted(key.str()) + (host ? ", which has this node's network" : "")};
}

Result<Flow> find_flow(const Origin &origin, const Target &target,
                       const std::vector<const Model *> &models) {
  if (target.this_node)
    return flow_to_node_port(origin, target, models);
  bool known = false;
  for (const auto *model : models) {
    if (target.address && target.address->family() == model->family())
      return flow_to_address(origin, target, *model);
    const auto *view =
        target.address ? nullptr : model->service({target.namespace_, target.service});
    known = known || view;
    if (!view || !suits(origin, model->family()))
      continue;
    SLUICE_ASSIGN(const auto port, find_port(*view, target), "TO");
    auto numbered = target;
    numbered.address = view->clusterIP;
    numbered.port = std::to_string(port.port.value);
    numbered.protocol = port.protocol;
    return flow_to_address(origin, numbered, *model);
  }
  if (target.address)
    return fail(Errc::unsupported,
                "this node has no " + std::string(name_of(target.address->family())));
  const auto name = quoted(target.namespace_ + "/" + target.service);
  if (known)
    return fail(Errc::invalid_input,
                "Service " + name + " has no clusterIP of the family of " + origin.words);
  return fail(Errc::not_found, "no Service " + name +
                                   " with a clusterIP is known here (headless and ExternalName "
                                   "Services and those of another proxy have none)");
}

} // namespace sluice::proxy
