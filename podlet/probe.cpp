#include "podlet/probe.hpp"

#include <algorithm>

namespace sluice::podlet {

ProbeSchedule::ProbeSchedule(const kube::Probe &probe, Time container_started)
    : period_(std::max(probe.periodSeconds, 1)),
      success_threshold_(std::max(probe.successThreshold, 1)),
      failure_threshold_(std::max(probe.failureThreshold, 1)),
      due_(container_started + std::chrono::seconds(std::max(probe.initialDelaySeconds, 0))) {}

void ProbeSchedule::record(bool success, Time now) {
  in_a_row_ = success == last_ ? in_a_row_ + 1 : 1;
  last_ = success;
  if (in_a_row_ >= (success ? success_threshold_ : failure_threshold_))
    verdict_ = success;
  due_ = now + period_;
}

Result<Port> probe_port(const kube::Container &container, const kube::IntOrString &port) {
  if (port.name.empty()) {
    if (port.number < 1 || port.number > 65535)
      return fail(Errc::invalid_input,
                  "port " + std::to_string(port.number) + " of a probe is not in 1..65535");
    return Port(static_cast<std::uint16_t>(port.number));
  }
  for (const auto &named : container.ports)
    if (named.name == port.name)
      return Port(static_cast<std::uint16_t>(named.containerPort));
  return fail(Errc::invalid_input,
              "container \"" + container.name + "\" has no port named \"" + port.name + "\"");
}

} // namespace sluice::podlet
