#include "proxy/process.hpp"

#include "kernel/sysctl.hpp"
#include "kube/daemon/log.hpp"
#include "net/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace sluice::proxy {
namespace {

using kube::daemon::log_info;
using kube::daemon::log_warning;

constexpr std::int32_t kVerbose = 4;

void settle_log(const config::Logging &logging) {
  using namespace kube::daemon;
  set_log_level(logging.verbosity >= kVerbose ? LogLevel::debug : LogLevel::info);
  set_log_format(logging.format == "json" ? LogFormat::json : LogFormat::text);
}

Result<> set_oom_score_adj(std::int32_t score) {
  const auto doing = "set oom_score_adj to " + std::to_string(score);
  const UniqueFd fd(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  const auto text = std::to_string(score);
  if (!fd || ::write(fd.get(), text.data(), text.size()) < 0)
    return fail(Error::from_errno(errno, doing));
  return {};
}

/// One line for all that is lower than wished, and one for each that could not be raised.
void report_sysctls(const std::vector<SysctlState> &states, bool managed) {
  std::string low;
  for (const auto &state : states) {
    if (!state.present || state.enough())
      continue;
    if (!state.error.empty())
      log_warning("cannot raise a kernel parameter",
                  {{"name", state.name}, {"wanted", state.wanted}, {"error", state.error}});
    low += (low.empty() ? "" : ", ") + state.name + " is " + std::to_string(*state.present) +
           ", wished " + std::to_string(state.wanted);
  }
  if (!low.empty() && !managed)
    log_info("kernel parameters are lower than configured; --manage-sysctls raises them",
             {{"parameters", low}});
}

} // namespace

std::vector<Family> families_of_host() {
  std::vector<Family> families{Family::ipv4};
  const auto off = kernel::Sysctl().read("net/ipv6/conf/all/disable_ipv6");
  if (::access("/proc/net/if_inet6", F_OK) == 0 && !(off && *off == "1"))
    families.push_back(Family::ipv6);
  return families;
}

std::vector<SysctlState> sysctl_states(const SysctlWishes &wishes) {
  const kernel::Sysctl sysctl;
  return look_at(wishes, std::max(1U, std::thread::hardware_concurrency()),
                 [&](const std::string &name) { return sysctl.read(name); });
}

void settle_process(const ProxyOptions &options) {
  settle_log(options.config.logging);
  if (options.own.dryRun)
    return;
  if (auto set = set_oom_score_adj(options.config.oomScoreAdj); !set)
    log_warning("going on without", {{"error", set.error()}});
  auto states = sysctl_states(options.sysctls);
  if (options.own.manageSysctls) {
    const kernel::Sysctl sysctl;
    raise(states, [&](const std::string &name, const std::string &value) {
      return sysctl.write(name, value);
    });
  }
  report_sysctls(states, options.own.manageSysctls);
}

namespace {

void set_valid(kube::daemon::Metrics &metrics, bool valid, const char *result) {
  metrics
      .counter("sluice_proxy_config_loads_total",
               "Readings of the configuration, by what became of them.", {{"result", result}})
      .add();
  metrics
      .gauge("sluice_proxy_config_valid",
             "1 if the configuration file says what the proxy does, 0 if it was refused.")
      .set(valid ? 1 : 0);
}

} // namespace

void refuse_reload(kube::daemon::Metrics &metrics, const Error &error) {
  kube::daemon::log_error("the new configuration is refused; the old one stays",
                          {{"error", error}});
  set_valid(metrics, false, "refused");
}

void count_reload(kube::daemon::Metrics &metrics) { set_valid(metrics, true, "applied"); }

std::string changed_fields_text(const ProxyOptions &before, const ProxyOptions &after) {
  std::string text;
  for (const auto &path : config::changed_fields(before.config, after.config))
    text += (text.empty() ? "" : ", ") + path;
  return text;
}

} // namespace sluice::proxy
