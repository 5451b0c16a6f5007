#pragma once
// The names that the CNI program answers to, and the plugin behind each of them.

#include <cstdint>
#include <string_view>

namespace sluice::cni {

enum class PluginKind : std::uint8_t {
  sluice,
  ipam,
  ptp,
  loopback,
  portmap,
  tuning,
  flannel,
  bandwidth
};

struct ProgramName {
  std::string_view name;
  PluginKind kind;
};

/// `bridge` is `sluice` with the reference plugin's defaults: the plugin looks at its name.
inline constexpr ProgramName kProgramNames[] = {
    {"sluice", PluginKind::sluice},   {"sluice-ipam", PluginKind::ipam},
    {"host-local", PluginKind::ipam}, {"bridge", PluginKind::sluice},
    {"ptp", PluginKind::ptp},         {"loopback", PluginKind::loopback},
    {"portmap", PluginKind::portmap}, {"tuning", PluginKind::tuning},
    {"flannel", PluginKind::flannel}, {"bandwidth", PluginKind::bandwidth},
};

} // namespace sluice::cni
