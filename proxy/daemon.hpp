#pragma once
// sluice-proxy while it runs: its parts, joined.

#include "kube/daemon/control_socket.hpp"
#include "kube/daemon/signals.hpp"
#include "proxy/address_watcher.hpp"
#include "proxy/api_feed.hpp"
#include "proxy/config_watcher.hpp"
#include "proxy/dataplanes.hpp"
#include "proxy/events.hpp"
#include "proxy/flow_cleaner.hpp"
#include "proxy/health_ports.hpp"
#include "proxy/kernel_watcher.hpp"
#include "proxy/ops_servers.hpp"
#include "proxy/retirement.hpp"
#include "proxy/retry.hpp"
#include "proxy/surroundings.hpp"

namespace sluice::proxy {

inline constexpr const char *kVersion = "v0.1.0";

/// Everything that runs. Members go in reverse order: first those who write to the inbox.
class Daemon {
public:
  /// `before`: what this process ran with until now, if it did.
  Daemon(const CommandLine &line, ProxyOptions options, std::string name,
         kube::daemon::Metrics &metrics, Layout before);

  Result<> start();
  /// Until it is told to stop, on the thread that calls.
  void run();

  const ProxyOptions &options() const noexcept { return options_; }
  const Layout &layout() const noexcept { return layout_; }
  /// After `run`: what to run with next, if it ended because of a new configuration.
  const std::optional<ProxyOptions> &next() const noexcept { return next_; }

private:
  // daemon.cpp: what it is told
  Result<> watch_config();
  void reload_soon();
  /// All of a new configuration or nothing of it.
  void reload(Runner &runner);
  /// Says which mode runs, or changes to another: the daemon's parts are built anew inside the
  /// process, and what is in the kernel serves until the new rules are there.
  Result<nlohmann::json> mode(const std::string &wanted);
  void stop();

  // daemon_parts.cpp
  Result<> make_runner();
  Result<std::unique_ptr<Dataplane>> kernel_side(Family family);
  /// Once everything is loaded: see NftMonitor::listen.
  void watch_kernel();
  void retire_other_modes();
  void start_events();
  void tell(EventType type, std::string kind, kube::ObjectKey about, std::string reason,
            std::string action, std::string note, std::string uid = {});
  Result<> start_health_ports();
  Result<> start_flow_cleaner();
  void report_cleanup(const CleanupOutcome &outcome);
  /// Once each family has shown its table.
  void show(const Table &table);
  Result<> watch_addresses();
  Result<> open_doors();
  /// In an upgrade that overlaps, the one that still runs has the socket.
  Result<> open_control();
  Result<> try_open_control();
  /// For `sluicectl proxy status`.
  nlohmann::json more_status();

  const CommandLine &line_;
  ProxyOptions options_;
  std::optional<ProxyOptions> next_;
  std::string node_name_;
  Layout before_, layout_;
  SharedState shared_;
  SteadyClock clock_;
  Inbox inbox_;
  HealthBoard health_;
  kube::daemon::Metrics &metrics_;
  ProxyMetrics proxy_metrics_{metrics_, options_.mode};
  ApiState api_state_;
  std::vector<Table> shown_; ///< of --dry-run
  std::unique_ptr<kube::ApiClient> client_;
  std::unique_ptr<EventRecorder> events_;
  std::set<Family> cleanup_fails_; ///< said once
  std::unique_ptr<FlowCleaner> flow_cleaner_;
  std::unique_ptr<HealthPorts> health_ports_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<Retirement> retirement_;
  std::unique_ptr<OpsServers> servers_;
  std::unique_ptr<kube::daemon::ControlServer> control_;
  std::optional<Retry> control_retry_;
  std::vector<KernelWatcher::Watch> watches_; ///< until the watcher has them
  std::unique_ptr<KernelWatcher> watcher_;
  std::jthread take_over_;
  std::unique_ptr<AddressWatcher> addresses_;
  std::unique_ptr<kube::daemon::SignalListener> signals_;
  std::unique_ptr<ConfigWatcher> config_watcher_;
  std::unique_ptr<ApiFeed> feed_;
};

} // namespace sluice::proxy
