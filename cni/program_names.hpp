#pragma once
// The names that the CNI program answers to (main.cpp has what each one does).

#include <string_view>

namespace sluice::cni {

inline constexpr std::string_view kProgramNames[] = {
    "sluice",   "sluice-ipam", "host-local", "bridge",  "ptp",
    "loopback", "portmap",     "tuning",     "flannel", "bandwidth"};

} // namespace sluice::cni
