#include "controlplane/controllers/service_allocator.hpp"

#include "controlplane/controllers/service_families.hpp"
#include "controlplane/resources/access.hpp"
#include "controlplane/resources/service_parts.hpp"
#include "controlplane/resources/validation.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

template <class T> std::set<T> difference(const std::set<T> &from, const std::set<T> &what) {
  std::set<T> result;
  std::set_difference(from.begin(), from.end(), what.begin(), what.end(),
                      std::inserter(result, result.end()));
  return result;
}

bool is_service(const AdmissionRequest &request) {
  return request.type->group.empty() && request.type->kind == "Service" &&
         request.subresource.empty();
}

} // namespace

class ServiceAllocator::Taking {
public:
  explicit Taking(ServiceAllocator &allocator) : allocator_(allocator) {}
  Taking(const Taking &) = delete;
  Taking &operator=(const Taking &) = delete;
  ~Taking() { allocator_.release(taken_); }
  void add(const IpAddress &ip) { taken_.ips.insert(ip); }
  void add(std::int64_t port) { taken_.ports.insert(port); }
  void keep() { taken_ = {}; }

private:
  ServiceAllocator &allocator_;
  Claims taken_;
};

ServiceAllocator::ServiceAllocator(const ServiceAllocatorSettings &settings, std::uint64_t seed)
    : pools_(settings.serviceCidrs.begin(), settings.serviceCidrs.end()),
      ports_(settings.nodePorts), random_(seed) {}

ServiceAllocator::Claims ServiceAllocator::Claims::without(const Claims &other) const {
  return {difference(ips, other.ips), difference(ports, other.ports)};
}

ServiceAllocator::Claims ServiceAllocator::claims_of(const json *service) {
  Claims claims;
  if (service == nullptr)
    return claims;
  const json &spec = map(*service, "spec");
  for (const auto &text_of_ip : texts(spec, "clusterIPs"))
    if (const auto ip = IpAddress::parse(text_of_ip))
      claims.ips.insert(*ip);
  for (const auto &port : list(spec, "ports"))
    claims.ports.insert(number(port, "nodePort"));
  claims.ports.insert(number(spec, "healthCheckNodePort"));
  claims.ports.erase(0);
  return claims;
}

AddressPool *ServiceAllocator::pool_for(Family family) {
  for (auto &pool : pools_)
    if (pool.range().family() == family)
      return &pool;
  return nullptr;
}

void ServiceAllocator::take(const Claims &claims) {
  for (const auto &ip : claims.ips)
    if (auto *pool = pool_for(ip.family()))
      (void)pool->take(ip); // outside of the range: an object from before the range changed
  for (const auto port : claims.ports)
    (void)ports_.take(port);
}

void ServiceAllocator::release(const Claims &claims) {
  for (const auto &ip : claims.ips)
    if (auto *pool = pool_for(ip.family()))
      pool->release(ip);
  for (const auto port : claims.ports)
    ports_.release(port);
}

std::vector<std::string> ServiceAllocator::adopt(const json &service) {
  std::vector<std::string> problems;
  const auto claims = claims_of(&service);
  for (const auto &ip : claims.ips) {
    auto *pool = pool_for(ip.family());
    const auto taken = pool != nullptr
                           ? pool->take(ip)
                           : Result<>(fail(Errc::invalid_input, "no service CIDR of this family"));
    if (!taken)
      problems.push_back("address " + ip.str() + ": " + taken.error().what());
  }
  for (const auto port : claims.ports)
    if (const auto taken = ports_.take(port); !taken)
      problems.push_back("port " + std::to_string(port) + ": " + taken.error().what());
  return problems;
}

FieldErrors ServiceAllocator::set_families(json &spec, const json *old_spec) const {
  std::vector<Family> families;
  for (const auto &pool : pools_)
    families.push_back(pool.range().family());
  return default_service_families(spec, old_spec, families);
}

FieldErrors ServiceAllocator::allocate_ips(json &spec, const Claims &held, Taking &taking) {
  FieldChecker errors;
  if (!needs_cluster_ip(spec) || is_headless(spec))
    return {};
  auto ips = texts(spec, "clusterIPs");
  const auto families = texts(spec, "ipFamilies");
  for (std::size_t i = 0; i < families.size(); ++i) {
    auto *pool = pool_for(families[i] == "IPv4" ? Family::ipv4 : Family::ipv6);
    if (pool == nullptr)
      continue; // default_service_families has refused it
    if (i >= ips.size()) {
      auto ip = pool->take_any(random_);
      if (!ip) {
        errors.invalid("spec.clusterIPs", json(ips), "failed to allocate IP: " + ip.error().what());
        break;
      }
      taking.add(*ip);
      ips.push_back(ip->str());
      continue;
    }
    const auto ip = IpAddress::parse(ips[i]);
    if (!ip || held.ips.count(*ip) != 0)
      continue;
    if (const auto taken = pool->take(*ip))
      taking.add(*ip);
    else
      errors.invalid("spec.clusterIPs", json(ips),
                     "failed to allocate IP " + ip->str() + ": " + taken.error().what());
  }
  if (!ips.empty()) {
    spec["clusterIP"] = ips.front();
    spec["clusterIPs"] = ips;
  }
  return errors.take();
}

FieldErrors ServiceAllocator::allocate_ports(json &spec, const Claims &held, Taking &taking) {
  FieldChecker errors;
  std::set<std::int64_t> own; // one number may serve several protocols of one service
  const auto claim = [&](std::int64_t port, const std::string &field) {
    if (port == 0 || held.ports.count(port) != 0 || !own.insert(port).second)
      return;
    if (const auto taken = ports_.take(port))
      taking.add(port);
    else
      errors.invalid(field, port, taken.error().what());
  };
  const auto allocate = [&](json &object, const char *field, const std::string &place) {
    if (number(object, field) != 0)
      return;
    const auto port = ports_.take_any(random_);
    if (!port) {
      errors.invalid(place, 0, port.error().what());
      return;
    }
    taking.add(std::int64_t{*port});
    object[field] = *port;
  };
  auto *ports = find(spec, "ports");
  const auto count = ports != nullptr && ports->is_array() ? ports->size() : 0;
  const auto place = [](std::size_t i) { return indexed("spec.ports", i) + ".nodePort"; };
  for (std::size_t i = 0; i < count; ++i)
    claim(number((*ports)[i], "nodePort"), place(i));
  claim(number(spec, "healthCheckNodePort"), "spec.healthCheckNodePort");
  for (std::size_t i = 0; i < count && needs_node_port(spec); ++i)
    allocate((*ports)[i], "nodePort", place(i));
  if (needs_health_check_node_port(spec))
    allocate(spec, "healthCheckNodePort", "spec.healthCheckNodePort");
  return errors.take();
}

ApiResult<> ServiceAllocator::admit(AdmissionRequest &request) {
  if (!is_service(request))
    return {};
  const auto held = claims_of(request.old);
  if (request.operation == AdmissionRequest::Operation::remove) {
    release(held);
    return {};
  }
  auto *spec = object_at(*request.object, "spec");
  if (spec == nullptr)
    return {};
  const json *old_spec = request.old != nullptr ? &map(*request.old, "spec") : nullptr;
  Taking taking(*this);
  FieldChecker errors;
  errors.add(set_families(*spec, old_spec));
  errors.add(allocate_ips(*spec, held, taking));
  errors.add(allocate_ports(*spec, held, taking));
  if (auto found = errors.take(); !found.empty())
    return refuse(invalid(*request.type, request.key.name, std::move(found)));
  taking.keep();
  release(held.without(claims_of(request.object)));
  return {};
}

void ServiceAllocator::undo(const AdmissionRequest &request) {
  if (!is_service(request))
    return;
  const auto before = claims_of(request.old), after = claims_of(request.object);
  release(after.without(before));
  take(before.without(after));
}

} // namespace sluice::controlplane
