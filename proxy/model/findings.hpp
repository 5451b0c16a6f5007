#pragma once
// Everything that was decided about a flow, in the order of the decisions and with the reasons.

#include "proxy/model/frontends.hpp"
#include "proxy/model/tracer.hpp"

namespace sluice::proxy {

/// Whether topology hints count, and why.
struct TopologyFinding {
  TopologyMode mode = TopologyMode::none;
  std::string reason; ///< of an ignored hint: which endpoint or label is missing
};
TopologyFinding find_topology(std::span<const Endpoint> endpoints, const Topology &topology);

struct EndpointFinding {
  Endpoint endpoint;
  bool used = false;
  std::string left_out; ///< why, if it is not used
};

struct Findings {
  Explanation packet; ///< as the table says
  SourceClass source = SourceClass::outside;
  std::string list, list_reason; ///< "cluster" or "local"; empty: no frontend
  std::string masquerade_reason; ///< why, or why not; empty: not translated
  TopologyFinding topology;
  std::vector<EndpointFinding> endpoints; ///< of the service port, by address
  std::vector<std::string> notes;         ///< what people stumble over
};

/// The reasons for one frontend. `endpoints` are those of its service port. Pure.
Findings find_out(const Table &table, const Flow &flow, const ServiceView &service,
                  const ServicePortView &port, std::span<const Endpoint> endpoints,
                  const Topology &topology);

/// "same zone"
std::string words_of(TopologyMode mode);

} // namespace sluice::proxy
