#include "proxy/supported.hpp"

namespace sluice::proxy {
namespace {

std::string what_is_missing(const Frontend &frontend, const FrontendInfo &info) {
  if (frontend.protocol == Protocol::sctp)
    return "SCTP";
  switch (info.kind) {
  case FrontendKind::cluster_ip:
    return "";
  case FrontendKind::external_ip:
    return "externalIPs";
  case FrontendKind::load_balancer:
    return "load balancer addresses";
  case FrontendKind::node_port:
    break;
  }
  return "nodePorts";
}

} // namespace

FrontendFilter supported_by_nftables(std::function<void(const std::string &)> left_out) {
  return [left_out = std::move(left_out)](const Frontend &frontend, FrontendInfo &info) {
    if (info.affinity)
      left_out("session affinity (the Services work without it)");
    info.affinity.reset();
    const auto missing = what_is_missing(frontend, info);
    if (!missing.empty())
      left_out(missing);
    return missing.empty();
  };
}

} // namespace sluice::proxy
