// The parts of the daemon, each made and joined to the others.

#include "kernel/rtnl.hpp"
#include "kube/daemon/log.hpp"
#include "proxy/clean_up.hpp"
#include "proxy/control.hpp"
#include "proxy/daemon.hpp"
#include "proxy/dry_run.hpp"
#include "proxy/json.hpp"
#include "proxy/leftovers.hpp"
#include "proxy/process.hpp"
#include "proxy/rfc3339.hpp"
#include "proxy/shadow_report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

using kube::daemon::log_info;
using kube::daemon::log_warning;

Result<std::set<IpAddress>> local_addresses() {
  SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "read our addresses");
  SLUICE_ASSIGN(const auto found, rtnl.read_addresses(), "read our addresses");
  std::set<IpAddress> out;
  for (const auto &one : found)
    out.insert(one.address.ip);
  return out;
}

void record(const IptablesMetrics &metrics, const iptables::WriteReport &report) {
  if (report.failed)
    return (report.whole ? metrics.restore_failures : metrics.partial_restore_failures).add();
  const auto number = [](std::size_t count) { return static_cast<double>(count); };
  metrics.nat_total.set(number(report.present.nat));
  metrics.filter_total.set(number(report.present.filter));
  metrics.nat_last.set(number(report.written.nat));
  metrics.filter_last.set(number(report.written.filter));
}

} // namespace

Result<> Daemon::make_runner() {
  shared_.iptablesWrote = [this](Family family, const iptables::WriteReport &report) {
    record(*proxy_metrics_.of(family).iptables, report);
  };
  std::vector<std::unique_ptr<FamilySync>> families;
  for (const auto family : families_of_host()) {
    SLUICE_ASSIGN(auto side, kernel_side(family), "open the data plane");
    families.push_back(std::make_unique<FamilySync>(std::make_unique<Model>(family, node_name_),
                                                    std::move(side), options_.periods, clock_));
  }
  RunnerParts parts{inbox_, clock_, health_, proxy_metrics_, {}, {}, {}};
  if (!options_.own.dryRun) {
    parts.allStarted = [this] {
      watch_kernel();
      retire_other_modes();
      if (options_.own.takeOver)
        take_over_ = std::jthread(take_over);
    };
    SLUICE_TRY(start_flow_cleaner(), "clean up UDP flows");
    SLUICE_TRY(start_health_ports(), "serve the health of Services");
    parts.lookForFlows = [this](FlowQuery query) { flow_cleaner_->look_for(std::move(query)); };
    parts.setHealthPorts = [this](HealthPortsWanted wanted) {
      health_ports_->set(std::move(wanted));
    };
  }
  runner_ = std::make_unique<Runner>(std::move(parts), options_.node, std::move(families));
  return {};
}

Result<std::unique_ptr<Dataplane>> Daemon::kernel_side(Family family) {
  if (options_.own.dryRun)
    return std::unique_ptr<Dataplane>(new DryRun([this](const Table &table) { show(table); }));
  SLUICE_ASSIGN(auto opened, open_dataplane(layout_, family, shared_, options_.ipvs),
                name_of(family));
  if (opened.monitor)
    watches_.push_back({family, std::move(*opened.monitor)});
  return std::move(opened.dataplane);
}

void Daemon::watch_kernel() {
  if (watches_.empty())
    return;
  auto watcher = KernelWatcher::start(std::move(watches_), [this](Family family) {
    inbox_.put({KernelChanged{family}, clock_.now()});
  });
  if (watcher)
    watcher_ = std::move(*watcher);
  else
    log_warning("changes by others are found by the periodic read-back alone",
                {{"error", watcher.error()}});
}

void Daemon::retire_other_modes() {
  retirement_ = std::make_unique<Retirement>(
      other_layouts(layout_, before_), // while both stand, new connections may meet the old one
      Retirement::Options{
          .drainTimeout = options_.own.drainTimeout,
          .gone =
              [](const std::string &name) {
                kube::daemon::log_debug("nothing is left of another mode", {{"mode", name}});
              },
          .failed =
              [](const std::string &name, const Error &error) {
                log_warning("cannot remove another mode's rules; trying again",
                            {{"mode", name}, {"error", error}});
              }});
}

void Daemon::start_events() {
  events_ = std::make_unique<EventRecorder>(EventRecorder::Options{
      .nodeName = node_name_,
      .send = [this](const std::string &namespace_, const nlohmann::json &event) -> Result<> {
        kube::HttpRequest request{.method = "POST",
                                  .path =
                                      "/apis/events.k8s.io/v1/namespaces/" + namespace_ + "/events",
                                  .body = event.dump(),
                                  .contentType = "application/json"};
        request.timeout = std::chrono::seconds(5);
        SLUICE_TRY(client_->call(request), "tell the Event " + event.value("reason", ""));
        return {};
      },
      .failed =
          [](const Error &error) {
            kube::daemon::log_debug("an Event is lost", {{"error", error}});
          }});
}

void Daemon::tell(EventType type, std::string kind, kube::ObjectKey about, std::string reason,
                  std::string action, std::string note, std::string uid) {
  events_->record({std::move(kind), std::move(about), std::move(uid), type, std::move(reason),
                   std::move(action), std::move(note)});
}

Result<> Daemon::start_health_ports() {
  HealthPorts::Options options;
  options.healthy = [this, patience = 2 * options_.periods.period] {
    return health_of(health_.snapshot(), false, clock_.now(), std::chrono::system_clock::now(),
                     patience)
        .ok;
  };
  options.failed = [this](const kube::ObjectKey &service, const Error &error) {
    log_warning("a Service's healthCheckNodePort does not answer; trying again",
                {{"service", service.str()}, {"error", error}});
    inbox_.put({Call([this, service, what = error.what()](Runner &runner) {
                  tell(EventType::Warning, "Service", service, "FailedToStartServiceHealthcheck",
                       "Listen", "node " + node_name_ + ": " + what, runner.uid_of(service));
                }),
                clock_.now()});
  };
  SLUICE_ASSIGN(health_ports_, HealthPorts::start(std::move(options)), "start");
  return {};
}

Result<> Daemon::start_flow_cleaner() {
  SLUICE_ASSIGN(auto conntrack, kernel::conntrack::ConntrackSocket::open(), "start");
  flow_cleaner_ = std::make_unique<FlowCleaner>(FlowCleaner::Parts{
      .conntrack = std::make_unique<kernel::conntrack::ConntrackSocket>(std::move(conntrack)),
      .localAddresses = local_addresses,
      .report = [this](const CleanupOutcome &outcome) {
        inbox_.put({Call([this, outcome](Runner &) { report_cleanup(outcome); }), clock_.now()});
      }});
  return {};
}

void Daemon::report_cleanup(const CleanupOutcome &outcome) {
  const auto &metrics = proxy_metrics_.of(outcome.family);
  metrics.flow_cleanup.observe(std::chrono::duration<double>(outcome.took).count());
  metrics.flows_deleted.add(static_cast<double>(outcome.removed));
  if (!outcome.error)
    cleanup_fails_.erase(outcome.family);
  else if (cleanup_fails_.insert(outcome.family).second)
    log_warning("cannot clean up UDP flows; trying again",
                {{"family", name_of(outcome.family)}, {"error", *outcome.error}});
  if (outcome.removed > 0)
    log_info("stale UDP flows are removed",
             {{"family", name_of(outcome.family)}, {"flows", outcome.removed}});
}

void Daemon::show(const Table &table) {
  shown_.push_back(table);
  if (shown_.size() < families_of_host().size())
    return;
  const auto saved = leftovers::saved_iptables();
  nlohmann::json out = {{"tables", nlohmann::json::array()}};
  for (const auto &one : shown_)
    out["tables"].push_back(to_json(one));
  out["whatChanges"] =
      what_changes(options_, shown_,
                   {.forwardDrops = saved.find("\n:FORWARD DROP") != std::string::npos,
                    .kubeProxyRules = !leftovers::plan_iptables(saved).empty(),
                    .ipvs = leftovers::has_ipvs()});
  std::puts(out.dump(2).c_str());
  stop();
}

Result<> Daemon::watch_addresses() {
  SLUICE_ASSIGN(addresses_, AddressWatcher::start([this](std::set<IpAddress> addresses) {
                  inbox_.put({LocalAddresses{std::move(addresses)}, clock_.now()});
                }),
                "watch our addresses");
  return {};
}

Result<> Daemon::open_doors() {
  const auto cannot_listen = [this](OpsServers::Kind kind, const Error &error) {
    tell(EventType::Warning, "Node", {"", node_name_},
         kind == OpsServers::Kind::health ? "FailedToStartProxierHealthcheck"
                                          : "FailedToStartMetricServer",
         "StartKubeProxy", error.what());
  };
  SLUICE_ASSIGN(servers_, OpsServers::start(options_, health_, metrics_, clock_, cannot_listen),
                "serve");
  return options_.own.controlSocket.empty() ? Result<>{} : open_control();
}

Result<> Daemon::open_control() {
  auto opened = try_open_control();
  if (opened || opened.error().code() != Errc::already_exists)
    return opened;
  log_warning("no control socket; trying again every 5 s", {{"error", opened.error()}});
  control_retry_.emplace([this] { return try_open_control().has_value(); });
  return {};
}

Result<> Daemon::try_open_control() {
  auto verbs = control_verbs(
      inbox_, clock_,
      {options_.mode, node_name_, kVersion, [this] { return more_status(); }, lookups(*client_)});
  verbs["mode"] = [this](const nlohmann::json &request) {
    return on_loop(inbox_, clock_,
                   [this, request](Runner &) { return mode(request.value("mode", "")); });
  };
  SLUICE_ASSIGN(control_,
                kube::daemon::ControlServer::start(options_.own.controlSocket, std::move(verbs)),
                "open the control socket");
  return {};
}

nlohmann::json Daemon::more_status() {
  nlohmann::json kernel = nlohmann::json::object(), sysctls = nlohmann::json::array();
  for (const auto &[family, health] : health_.snapshot().families) {
    const auto &metrics = proxy_metrics_.of(family);
    kernel[std::string(name_of(family))] = {{"lastSync", rfc3339(health.last_sync)},
                                            {"repairs", std::llround(metrics.repairs.value())},
                                            {"failures", std::llround(metrics.failures.value())}};
  }
  for (const auto &state : sysctl_states(options_.sysctls))
    sysctls.push_back({{"name", state.name},
                       {"wanted", state.wanted},
                       {"present", state.present ? nlohmann::json(*state.present) : nullptr},
                       {"enough", state.enough()}});
  auto api = api_state_.json();
  api["server"] = client_->config().server;
  return {{"kernel", std::move(kernel)},
          {"sysctls", std::move(sysctls)},
          {"api", std::move(api)},
          {"layout", layout_},
          {"draining", retirement_ ? retirement_->draining() : std::vector<std::string>{}},
          {"config", options_.own.configFile},
          {"warnings", options_.warnings}};
}

} // namespace sluice::proxy
