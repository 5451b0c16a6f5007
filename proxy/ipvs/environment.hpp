#pragma once
// What IPVS needs around it in a network namespace: packets with the divert bit come to the local
// stack, and connections are tracked.

#include "net/ip_address.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sluice::proxy::ipvs {

class Environment {
public:
  virtual ~Environment() = default;
  /// Makes what is missing.
  virtual Result<> prepare() = 0;
  /// What is not as `prepare` makes it, in people's words.
  virtual Result<std::vector<std::string>> differences() = 0;
  /// The parameters of IPVS stay: foreign virtual services may count on them.
  virtual Result<> remove() = 0;
};

/// A rule of policy routing for the bit, a table with a local route for everything, and the
/// parameters net.ipv4.vs.{conntrack,expire_nodest_conn}. Of the calling thread's namespace.
std::unique_ptr<Environment> make_environment(Family family, std::uint32_t divert_bit);

} // namespace sluice::proxy::ipvs
