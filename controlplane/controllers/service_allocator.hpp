#pragma once
// Gives Services their addresses and ports as they are written. Because it runs inside the
// registry's write lock and its state is what the stored Services say, an address is never given
// twice and nothing has to be repaired later; a restart reads the Services again.

#include "controlplane/controllers/pools.hpp"
#include "controlplane/registry/registry.hpp"

namespace sluice::controlplane {

struct ServiceAllocatorSettings {
  std::vector<Cidr> serviceCidrs; ///< one or two of different families; the first is the default
  PortRange nodePorts;
};

/// Thread-safe by the contract of Admission.
class ServiceAllocator final : public Admission {
public:
  ServiceAllocator(const ServiceAllocatorSettings &settings, std::uint64_t seed);

  /// A Service that exists already. What it says but cannot have (out of range, taken by another)
  /// is returned, one sentence each; the Service keeps it.
  std::vector<std::string> adopt(const json &service);

  ApiResult<> admit(AdmissionRequest &request) override;
  void undo(const AdmissionRequest &request) override;

private:
  /// What a Service holds.
  struct Claims {
    std::set<IpAddress> ips;
    std::set<std::int64_t> ports;
    /// What of these `other` does not hold.
    Claims without(const Claims &other) const;
  };
  /// Taken during one `admit`, given back if it fails.
  class Taking;

  static Claims claims_of(const json *service);
  AddressPool *pool_for(Family family);
  void take(const Claims &claims);
  void release(const Claims &claims);
  FieldErrors set_families(json &spec, const json *old_spec) const;
  FieldErrors allocate_ips(json &spec, const Claims &held, Taking &taking);
  FieldErrors allocate_ports(json &spec, const Claims &held, Taking &taking);

  std::vector<AddressPool> pools_;
  PortPool ports_;
  Random random_;
};

} // namespace sluice::controlplane
