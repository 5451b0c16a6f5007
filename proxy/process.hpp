#pragma once
// What belongs to the process and the machine and not to one run of the daemon.

#include "kube/daemon/metrics.hpp"
#include "proxy/options.hpp"

namespace sluice::proxy {

/// IPv4, and IPv6 unless the kernel has none or it is switched off.
std::vector<Family> families_of_host();

/// The machine's connection tracking as it is beside what is wished.
std::vector<SysctlState> sysctl_states(const SysctlWishes &wishes);

/// Log level and format, oom_score_adj and, with --manage-sysctls, the machine's parameters. What
/// cannot be done is logged and left. Nothing for --dry-run but the log.
void settle_process(const ProxyOptions &options);

/// Says so in the log and in sluice_proxy_config_valid; the old configuration goes on.
void refuse_reload(kube::daemon::Metrics &metrics, const Error &error);
/// What is in the file is what runs.
void count_reload(kube::daemon::Metrics &metrics);
/// "mode, clusterCIDR"
std::string changed_fields_text(const ProxyOptions &before, const ProxyOptions &after);

} // namespace sluice::proxy
