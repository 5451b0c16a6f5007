#pragma once

#include <string>

namespace sluice::kube::daemon {

/// What Prometheus' clients say of every process (process_cpu_seconds_total,
/// process_resident_memory_bytes, ...), read from `proc` now, in the text format.
std::string process_metrics_text(const std::string &proc = "/proc/self");

} // namespace sluice::kube::daemon
