#pragma once
// What this kernel can do, found out by trying, never by its version.

#include "net/result.hpp"

namespace sluice::kernel {

/// For each feature nothing, or why it is not there (`unsupported`, or what stood in the way).
struct Features {
  Result<> nf_tables;
  Result<> bridge;
  Result<> br_netfilter; ///< bridged packets can be sent through IP's netfilter hooks
  Result<> veth;
  Result<> vxlan;
  Result<> ipv6;
};

/// Tries in a fresh anonymous network namespace, which is gone afterwards; may make the kernel load
/// modules. An error only if there can be no such namespace. Takes some ms.
Result<Features> probe_features();

} // namespace sluice::kernel
