#include "proxy/cases/world.hpp"

#include "kube/label_selector.hpp"
#include "proxy/cases/statement.hpp"

namespace sluice::proxy::cases {
namespace {

constexpr const char *kNamespace = "ns1";

/// What the daemon's watches let through: other objects never arrive.
bool arrives(const kube::Service &service) {
  static const auto matcher =
      kube::LabelMatcher::parse("!service.kubernetes.io/service-proxy-name").value();
  return matcher.matches(service.metadata.labels);
}
bool arrives(const kube::EndpointSlice &slice) {
  static const auto matcher = kube::LabelMatcher::parse("!service.kubernetes.io/headless").value();
  return matcher.matches(slice.metadata.labels);
}

template <class Object> kube::ObjectKey key_of(const Object &object) {
  return {object.metadata.namespace_, object.metadata.name};
}

kube::SlicePort slice_port(const kube::ServicePort &port) {
  const auto target = port.targetPort.number != 0 ? port.targetPort.number : port.port;
  return {port.name, port.protocol, target, ""};
}

kube::EndpointSlice slice_for(const std::string &service, Family family) {
  kube::EndpointSlice slice;
  slice.metadata.namespace_ = kNamespace;
  slice.metadata.labels["kubernetes.io/service-name"] = service;
  slice.addressType = name_of(family);
  return slice;
}

Family family_of(const kube::SliceEndpoint &endpoint) {
  if (endpoint.addresses.empty())
    return Family::ipv4;
  const auto ip = IpAddress::parse_sloppy(endpoint.addresses.front());
  return ip ? ip->family() : Family::ipv4;
}

std::string port_suffix(Port port) {
  return port.value == 80 ? "" : ":" + std::to_string(port.value);
}

} // namespace

World::World(Family as) : book_(as) { make_models(); }

void World::make_models() {
  ipv4_ = std::make_unique<Model>(Family::ipv4, node_.metadata.name);
  ipv6_ = std::make_unique<Model>(Family::ipv6, node_.metadata.name);
  for (const auto &[key, service] : services_)
    tell(service);
  for (const auto &[key, slice] : slices_)
    tell(slice);
}

void World::tell(const kube::Service &service) {
  for (const auto family : kFamilies)
    if (arrives(service))
      model(family).update(service);
    else
      model(family).remove_service(key_of(service));
}

void World::tell(const kube::EndpointSlice &slice) {
  for (const auto family : kFamilies)
    if (arrives(slice))
      model(family).update(slice);
    else
      model(family).remove_slice(key_of(slice));
}

void World::tell_node() {
  for (const auto family : kFamilies) {
    auto info = node_info(options_, node_, family).value();
    for (const auto &ip : held_)
      if (ip.family() == family)
        info.nodeAddresses.push_back(ip);
    model(family).set_node(info, zone_of(node_));
  }
}

Result<> World::change(const Line &line) {
  const auto &words = line.words;
  const auto name = [&] { return words.empty() ? std::string() : words[0]; };
  if (line.verb == "set") {
    SLUICE_ASSIGN(const auto settings, settings_of(words, 1), "set");
    return set_service(name(), settings);
  }
  if (line.verb == "endpoints")
    return set_endpoints(words);
  if (line.verb == "slice") {
    SLUICE_ASSIGN(const auto settings, settings_of(words, 1), "slice");
    return set_slice(name(), settings);
  }
  if (line.verb == "delete")
    return remove(words);
  if (line.verb == "node") {
    SLUICE_ASSIGN(const auto settings, settings_of(words, 0), "node");
    return set_node(settings);
  }
  if (line.verb == "host" || line.verb == "plane")
    return {};
  return fail(Errc::invalid_input, "no statement is called \"" + line.verb + "\"");
}

std::vector<std::string> World::fields(const std::string &list) const {
  std::vector<std::string> out;
  for (const auto &text : split(list, ','))
    out.push_back(book_.field(text));
  return out;
}

Result<> World::set_service(const std::string &name, const Settings &settings) {
  const kube::ObjectKey key{kNamespace, name};
  auto service = services_[key];
  service.metadata.namespace_ = kNamespace;
  service.metadata.name = name;
  if (service.ports.empty())
    service.ports = {{"p80", Protocol::tcp, 80, 0, {}, ""}};
  for (const auto &[field, value] : settings)
    SLUICE_TRY(set_field(service, field, value), "Service " + name);
  services_[key] = service;
  tell(service);
  return {};
}

Result<> World::set_field(kube::Service &service, const std::string &key,
                          const std::string &value) {
  if (key == "clusterIPs") {
    service.clusterIPs = fields(value);
    service.ipFamilies.clear();
    for (const auto &ip : service.clusterIPs)
      if (const auto parsed = IpAddress::parse_sloppy(ip))
        service.ipFamilies.push_back(parsed->family());
    return {};
  }
  if (key == "externalIPs")
    return service.externalIPs = fields(value), Result<>();
  if (key == "ranges")
    return service.loadBalancerSourceRanges = fields(value), Result<>();
  if (key == "lb") {
    service.loadBalancerIngress.clear();
    for (const auto &entry : split(value, ',')) {
      const auto parts = split(entry, '/');
      const auto mode = parts.size() > 1 ? parts[1] : "";
      if (mode == "hostname")
        service.loadBalancerIngress.push_back({"", parts[0], ""});
      else
        service.loadBalancerIngress.push_back({book_.field(parts[0]), "", mode});
    }
    return {};
  }
  return set_plain_field(service, key, value);
}

/// "L", "R/st", "A1@a+b%n1": conditions, hinted zones, hinted nodes; "L&R": two addresses; "-":
/// none.
Result<kube::SliceEndpoint> World::endpoint_from(const std::string &word) const {
  const auto rest = std::min(word.find_first_of("/@%"), word.size());
  kube::SliceEndpoint endpoint;
  for (const auto &name : split(word.substr(0, rest), '&'))
    if (name != "-")
      endpoint.addresses.push_back(book_.field(name));
  const auto *place = find_place(word.substr(0, std::min(word.find_first_of("/@%&"), word.size())));
  if (!place && !word.empty() && endpoint.addresses.size() == 1)
    place = find_place(book_.name_of(IpAddress::parse_sloppy(endpoint.addresses[0]).value()));
  // "L26" is the IPv6 address of "L2".
  if (const auto name = word.substr(0, rest); !place && !name.empty() && name.back() == '6')
    place = find_place(name.substr(0, name.size() - 1));
  const bool ours = place && (place->at == At::pod || place->at == At::node);
  endpoint.nodeName = ours ? "n1" : "n2";
  SLUICE_TRY(read_endpoint_marks(word.substr(rest), endpoint), "endpoint " + word);
  return endpoint;
}

Result<> World::set_endpoints(const std::vector<std::string> &words) {
  if (words.empty())
    return fail(Errc::invalid_input, "endpoints of what?");
  const auto &name = words[0];
  const auto service = services_.find({kNamespace, name});
  if (service == services_.end())
    return fail(Errc::invalid_input, "there is no Service \"" + name + "\"");
  std::map<Family, kube::EndpointSlice> slices;
  slices[book_.family()] = slice_for(name, book_.family());
  std::vector<std::string> wanted;
  for (std::size_t i = 1; i < words.size(); ++i)
    for (auto &word : words[i] == "-" ? std::vector{words[i]} : split(words[i], ','))
      wanted.push_back(std::move(word));
  for (const auto &word : wanted) {
    SLUICE_ASSIGN(auto endpoint, endpoint_from(word), "endpoints");
    const auto family = endpoint.addresses.empty() ? book_.family() : cases::family_of(endpoint);
    auto &slice = slices.try_emplace(family, slice_for(name, family)).first->second;
    slice.endpoints.push_back(std::move(endpoint));
  }
  for (auto &[family, slice] : slices) {
    slice.metadata.name = name + (family == book_.family() ? "-1" : "-2");
    for (const auto &port : service->second.ports)
      slice.ports.push_back(slice_port(port));
    slices_[key_of(slice)] = slice;
    tell(slice);
  }
  return {};
}

Result<> World::set_slice(const std::string &name, const Settings &settings) {
  auto slice = slice_for("", book_.family());
  slice.metadata.name = name;
  slice.ports = {{"p80", Protocol::tcp, 80, ""}};
  for (const auto &[key, value] : settings) {
    if (key == "endpoints")
      for (const auto &word : split(value, ',')) {
        SLUICE_ASSIGN(auto endpoint, endpoint_from(word), "slice " + name);
        slice.endpoints.push_back(std::move(endpoint));
      }
    else
      SLUICE_TRY(set_slice_field(slice, key, value), "slice " + name);
  }
  slices_[key_of(slice)] = slice;
  tell(slice);
  return {};
}

Result<> World::remove(const std::vector<std::string> &words) {
  const bool of_slice = words.size() == 2 && words[0] == "slice";
  if (words.empty() || (words.size() != 1 && !of_slice))
    return fail(Errc::invalid_input, "delete what?");
  const kube::ObjectKey key{kNamespace, words.back()};
  if ((of_slice ? slices_.erase(key) : services_.erase(key)) == 0)
    return fail(Errc::invalid_input, "there is no \"" + words.back() + "\" to delete");
  for (const auto family : kFamilies)
    if (of_slice)
      model(family).remove_slice(key);
    else
      model(family).remove_service(key);
  return {};
}

Result<> World::set_node(const Settings &settings) {
  const auto name = node_.metadata.name;
  for (const auto &[key, value] : settings)
    SLUICE_TRY(set_node_field(key, value), "node");
  if (node_.metadata.name != name)
    make_models();
  tell_node();
  return {};
}

Result<> World::set_node_field(const std::string &key, const std::string &value) {
  if (key == "addresses") {
    node_.addresses.clear();
    for (const auto family : kFamilies) // a node has both, whatever the scenario is about
      for (const auto &text : split(value, ','))
        node_.addresses.push_back({"InternalIP", AddressBook(family).field(text)});
    return {};
  }
  if (key == "holds") {
    held_.clear();
    for (const auto &text : split(value, ','))
      held_.push_back(book_.address(text));
    return {};
  }
  if (key == "podCIDRs")
    return node_.podCIDRs = fields(value), Result<>();
  return set_plain_node_field(node_, options_, key, value, [this](const std::string &list) {
    std::vector<Cidr> cidrs;
    for (const auto &text : fields(list))
      cidrs.push_back(Cidr::parse(text).value());
    return cidrs;
  });
}

Family World::family_of(const std::string &question) const {
  const auto to = question.substr(question.find("->") + 2);
  const auto end = std::min(to.find_first_of(":/"), to.size());
  return book_.address(to.substr(0, end)).family();
}

Result<Probe> World::probe(const std::string &question) const {
  const auto arrow = question.find("->");
  Probe probe{question.substr(0, arrow), question.substr(arrow + 2), {}};
  auto to = probe.to;
  auto &flow = probe.flow;
  flow.sourcePort = Port{40000};
  flow.destinationPort = Port{80};
  if (const auto slash = to.find('/'); slash != std::string::npos) {
    if (const auto name = to.substr(slash + 1); name == "ping") {
      flow.protocol = static_cast<Protocol>(book_.family() == Family::ipv4 ? 1 : 58);
      flow.destinationPort = Port{0};
    } else {
      SLUICE_ASSIGN(flow.protocol, parse_protocol(name), question);
    }
    to.resize(slash);
  }
  if (const auto colon = to.find(':'); colon != std::string::npos) {
    const auto port = to.substr(colon + 1);
    SLUICE_ASSIGN(flow.destinationPort, port == "NP" ? Port{3001} : parse_port(port), question);
    to.resize(colon);
  }
  flow.destination = book_.address(to);
  const auto family = flow.destination.family();
  const auto source = AddressBook(family).find(probe.from);
  if (!source)
    return fail(Errc::invalid_input, "no place is called \"" + probe.from + "\"");
  flow.source = *source;
  const auto *place = find_place(AddressBook(family).name_of(*source));
  const auto *named = find_place(probe.from);
  flow.inInterface = interface_of(named ? named->at : place ? place->at : At::pod);
  return probe;
}

std::string World::answer(const Probe &probe) {
  const auto got = model(probe.flow.destination.family()).explain(probe.flow);
  if (got.verdict == "reject")
    return "REJECT";
  if (got.verdict == "drop")
    return "DROP";
  if (got.verdict == "none")
    return "none";
  return answer_text(reached_by(got, probe.flow));
}

std::vector<Reached> World::reached_by(const Explanation &got, const Flow &flow) const {
  std::vector<Reached> reached;
  for (const auto &backend : got.backends)
    reached.push_back({book_.name_of(backend.address.ip) + port_suffix(backend.address.port),
                       got.masquerade || backend.address.ip == flow.source});
  return reached;
}

std::string World::canonical(const std::string &answer) const {
  auto reached = reached_of(answer);
  if (!reached)
    return answer;
  for (auto &one : *reached) {
    const auto colon = one.name.find(':');
    const auto ip = book_.find(one.name.substr(0, colon));
    if (ip)
      one.name = book_.name_of(*ip) + (colon == std::string::npos ? "" : one.name.substr(colon));
  }
  return answer_text(std::move(*reached));
}

} // namespace sluice::proxy::cases
