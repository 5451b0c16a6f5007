#pragma once
// Kernel parameters that the operator wants larger. Raised, never lowered, and only if Sluice may
// (--manage-sysctls): they are the whole machine's.

#include "net/result.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sluice::proxy {

/// KubeProxyConfiguration.conntrack. Zero: left as it is.
struct SysctlWishes {
  std::int64_t maxPerCore = 0, min = 0;
  std::chrono::seconds tcpEstablishedTimeout{0}, tcpCloseWaitTimeout{0};
  std::chrono::seconds udpTimeout{0}, udpStreamTimeout{0};
  bool tcpBeLiberal = false;
  friend bool operator==(const SysctlWishes &, const SysctlWishes &) = default;
};

/// One parameter as it is and as it should be.
struct SysctlState {
  std::string name; ///< "net/netfilter/nf_conntrack_max"
  std::int64_t wanted = 0;
  std::optional<std::int64_t> present; ///< nothing: not there, or no number
  std::string error;                   ///< why it could not be raised
  bool enough() const noexcept { return present && *present >= wanted; }
  friend bool operator==(const SysctlState &, const SysctlState &) = default;
};

using ReadSysctl = std::function<Result<std::string>(const std::string &name)>;
using WriteSysctl = std::function<Result<>(const std::string &name, const std::string &value)>;

/// nf_conntrack_max as kube-proxy counts it: so many for each core, at least `min`, at most 2^20; 0
/// if it is to be left alone. Pure.
std::int64_t conntrack_max(const SysctlWishes &wishes, unsigned cores);

/// What is wished and what is there.
std::vector<SysctlState> look_at(const SysctlWishes &wishes, unsigned cores,
                                 const ReadSysctl &read);
/// Raises what is too low and there; what fails keeps its value and gets its `error`.
void raise(std::vector<SysctlState> &states, const WriteSysctl &write);

} // namespace sluice::proxy
