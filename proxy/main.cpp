// sluice-proxy: builds the parts, joins them, waits for a signal.

#include "kernel/files.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "kernel/rtnl.hpp"
#include "kube/api_client.hpp"
#include "kube/daemon/log.hpp"
#include "kube/daemon/signals.hpp"
#include "proxy/address_watcher.hpp"
#include "proxy/config_watcher.hpp"
#include "proxy/control.hpp"
#include "proxy/dataplanes.hpp"
#include "proxy/dry_run.hpp"
#include "proxy/events.hpp"
#include "proxy/flow_cleaner.hpp"
#include "proxy/health_ports.hpp"
#include "proxy/json.hpp"
#include "proxy/kernel_watcher.hpp"
#include "proxy/leftovers.hpp"
#include "proxy/ops_servers.hpp"
#include "proxy/process.hpp"
#include "proxy/retirement.hpp"
#include "proxy/retry.hpp"
#include "proxy/rfc3339.hpp"
#include "proxy/shadow_report.hpp"
#include "proxy/surroundings.hpp"

#include <csignal>
#include <cstdio>
#include <malloc.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace sluice::proxy {
namespace {

using kube::daemon::log_info;
using kube::daemon::log_warning;

constexpr std::size_t kLongestInbox = 64;
constexpr const char *kVersion = "v0.1.0";

/// As kube-proxy names the Node: --hostname-override or the host's name, in lower case.
Result<std::string> node_name(const ProxyOptions &options) {
  auto name = options.hostnameOverride;
  if (name.empty()) {
    std::array<char, 256> buffer{};
    if (::gethostname(buffer.data(), buffer.size() - 1) != 0)
      return fail(Error::from_errno(errno, "read the host's name"));
    name = buffer.data();
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

Result<std::set<IpAddress>> local_addresses() {
  SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "read our addresses");
  SLUICE_ASSIGN(const auto found, rtnl.read_addresses(), "read our addresses");
  std::set<IpAddress> out;
  for (const auto &one : found)
    out.insert(one.address.ip);
  return out;
}

/// The data planes of this host but for those of one layout.
/// `first` comes first.
std::vector<Retirement::Retiree> other_layouts(const Layout &but, const Layout &first = {}) {
  auto layouts = all_layouts();
  std::stable_partition(layouts.begin(), layouts.end(),
                        [&](const Layout &layout) { return layout == first; });
  std::vector<Retirement::Retiree> out;
  for (const auto &layout : layouts)
    for (const auto family : families_of_host())
      if (layout != but)
        if (auto opened = open_leftover(layout, family)) // else the host cannot have any of it
          out.push_back(
              {layout + ", " + std::string(name_of(family)), std::move(opened->dataplane)});
  return out;
}

/// One line for each thing that was removed or could not be. Whether all went well.
bool report_removed(const leftovers::Removed &removed) {
  for (const auto &what : removed.what)
    log_info("removed", {{"what", what}});
  for (const auto &error : removed.errors)
    log_warning("not removed", {{"error", error}});
  return removed.errors.empty();
}

/// What our own data planes have made.
Result<> remove_ours() {
  for (auto &leftover : other_layouts("")) {
    SLUICE_TRY(leftover.dataplane->remove(),
               "clean up " + leftover.name + " (CAP_NET_ADMIN is needed)");
  }
  return {};
}

Result<> clean_up() {
  SLUICE_TRY(remove_ours(), "sluice-proxy");
  SLUICE_ASSIGN(auto nft, kernel::nft::NftSocket::open(), "clean up");
  bool clean = report_removed(leftovers::remove_iptables());
  clean = report_removed(leftovers::remove_nftables(nft)) && clean;
  clean = report_removed(leftovers::remove_ipvs()) && clean;
  if (!clean)
    return fail(Errc::kernel, "clean up: not all of kube-proxy's rules could be removed");
  return {};
}

/// kube-proxy's rules, once ours do the work. What somebody holds a lock on is tried again.
void take_over(const std::stop_token &stop) {
  constexpr int kTries = 20;
  for (int i = 0; i < kTries && !stop.stop_requested(); ++i) {
    auto nft = kernel::nft::NftSocket::open();
    bool clean = report_removed(leftovers::remove_iptables());
    if (nft)
      clean = report_removed(leftovers::remove_nftables(*nft)) && clean;
    if (clean)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
  if (leftovers::has_ipvs())
    log_warning("kube-proxy's IPVS services are left: they carry the connections that they have; "
                "remove them with sluice-proxy --cleanup when these have ended");
}

/// Everything that runs. Members go in reverse order: first those who write to the inbox.
class Daemon {
public:
  /// `before`: what this process ran with until now, if it did.
  Daemon(const CommandLine &line, ProxyOptions options, std::string name,
         kube::daemon::Metrics &metrics, Layout before)
      : line_(line), options_(std::move(options)), node_name_(std::move(name)),
        before_(std::move(before)), metrics_(metrics) {}

  Result<> start() {
    SLUICE_ASSIGN(layout_, layout_of_mode(options_.mode), "start");
    SLUICE_ASSIGN(auto config, kube::client_config(options_.kubeconfig, options_.own.master),
                  "find the API server");
    config.userAgent = std::string("sluice-proxy/") + kVersion;
    config.observe = [this, host = config.server](const kube::RequestSeen &seen) {
      count_request(metrics_, host, seen);
      api_state_.saw(seen.status != 0);
    };
    SLUICE_ASSIGN(client_, kube::ApiClient::create(std::move(config)), "prepare the API client");
    metrics_
        .gauge("kubernetes_build_info", "1; the labels say what this is.",
               {{"git_version", kVersion}, {"component", "sluice-proxy"}})
        .set(1);
    if (!options_.own.dryRun)
      start_events();
    SLUICE_TRY(make_runner(), "start");
    if (!options_.own.dryRun) {
      SLUICE_TRY(open_doors(), "start");
      tell(EventType::Normal, "Node", {"", node_name_}, "Starting", "StartKubeProxy", "");
    }
    SLUICE_ASSIGN(signals_, kube::daemon::SignalListener::start([this](int signal) {
                    if (signal == SIGHUP)
                      reload_soon();
                    else
                      stop();
                  }),
                  "listen to signals");
    SLUICE_TRY(watch_config(), "start");
    if (!options_.own.dryRun) {
      SLUICE_TRY(watch_addresses(), "start");
    }
    watch_api();
    return {};
  }

  void run() {
    runner_->run();
    inbox_.close(); // nobody waits for room in it any more
  }

  const ProxyOptions &options() const noexcept { return options_; }
  const Layout &layout() const noexcept { return layout_; }
  /// After `run`: what to run with next, if it ended because of a new configuration.
  const std::optional<ProxyOptions> &next() const noexcept { return next_; }

private:
  Result<> watch_config() {
    if (options_.own.configFile.empty() || options_.own.dryRun)
      return {};
    SLUICE_ASSIGN(config_watcher_,
                  ConfigWatcher::start(options_.own.configFile, [this] { reload_soon(); }),
                  "watch --config");
    return {};
  }

  void reload_soon() {
    inbox_.put({Call([this](Runner &runner) { reload(runner); }), clock_.now()});
  }

  /// All of a new configuration or nothing of it.
  void reload(Runner &runner) {
    auto loaded = load_options(line_);
    if (!loaded) {
      tell(EventType::Warning, "Node", {"", node_name_}, "ConfigurationRefused", "Reload",
           loaded.error().what());
      return refuse_reload(metrics_, loaded.error());
    }
    const auto depth = reload_for(options_, *loaded);
    if (depth != Reload::nothing)
      log_info("the configuration changed",
               {{"fields", changed_fields_text(options_, *loaded)},
                {"applied", depth == Reload::in_place ? "in place" : "by a restart inside"}});
    count_reload(metrics_);
    if (depth == Reload::restart) {
      next_ = std::move(*loaded);
      return stop();
    }
    options_ = std::move(*loaded);
    settle_process(options_);
    runner.set_node_options(options_.node, clock_.now());
  }

  /// Says which mode runs, or changes to another: the daemon's parts are built anew inside the
  /// process, and what is in the kernel serves until the new rules are there.
  Result<nlohmann::json> mode(const std::string &wanted) {
    if (!wanted.empty() && wanted != options_.mode) {
      SLUICE_TRY(layout_of_mode(wanted), "change the mode");
      auto config = options_.config;
      config.mode = wanted;
      SLUICE_ASSIGN(next_, options_of(std::move(config), options_.own), "change the mode");
      log_info("the mode changes", {{"from", options_.mode}, {"to", wanted}});
      stop();
    }
    return nlohmann::json{
        {"mode", options_.mode},
        {"layout", layout_},
        {"started", retirement_ != nullptr},
        {"retiring", retirement_ ? retirement_->present() : std::vector<std::string>{}}};
  }

  void stop() { inbox_.put({Stop{}, clock_.now()}); }

  Result<> make_runner() {
    std::vector<std::unique_ptr<FamilySync>> families;
    std::vector<KernelWatcher::Watch> watches;
    for (const auto family : families_of_host()) {
      SLUICE_ASSIGN(auto side, kernel_side(family, watches), "open the data plane");
      families.push_back(std::make_unique<FamilySync>(std::make_unique<Model>(family, node_name_),
                                                      std::move(side), options_.periods, clock_));
    }
    RunnerParts parts{inbox_, clock_, health_, proxy_metrics_, {}, {}, {}};
    if (!options_.own.dryRun) {
      parts.allStarted = [this] {
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
    if (!watches.empty()) {
      SLUICE_ASSIGN(watcher_,
                    KernelWatcher::start(std::move(watches),
                                         [this](Family family) {
                                           inbox_.put({KernelChanged{family}, clock_.now()});
                                         }),
                    "watch nf_tables");
    }
    return {};
  }

  void retire_other_modes() {
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

  void start_events() {
    events_ = std::make_unique<EventRecorder>(EventRecorder::Options{
        .nodeName = node_name_,
        .send = [this](const std::string &namespace_, const nlohmann::json &event) -> Result<> {
          kube::HttpRequest request{.method = "POST",
                                    .path = "/apis/events.k8s.io/v1/namespaces/" + namespace_ +
                                            "/events",
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

  void tell(EventType type, std::string kind, kube::ObjectKey about, std::string reason,
            std::string action, std::string note, std::string uid = {}) {
    events_->record({std::move(kind), std::move(about), std::move(uid), type, std::move(reason),
                     std::move(action), std::move(note)});
  }

  Result<> start_health_ports() {
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

  Result<> start_flow_cleaner() {
    SLUICE_ASSIGN(auto conntrack, kernel::conntrack::ConntrackSocket::open(), "start");
    flow_cleaner_ = std::make_unique<FlowCleaner>(FlowCleaner::Parts{
        .conntrack = std::make_unique<kernel::conntrack::ConntrackSocket>(std::move(conntrack)),
        .localAddresses = local_addresses,
        .report = [this](const CleanupOutcome &outcome) {
          inbox_.put({Call([this, outcome](Runner &) { report_cleanup(outcome); }), clock_.now()});
        }});
    return {};
  }

  void report_cleanup(const CleanupOutcome &outcome) {
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

  Result<std::unique_ptr<Dataplane>> kernel_side(Family family,
                                                 std::vector<KernelWatcher::Watch> &watches) {
    if (options_.own.dryRun)
      return std::unique_ptr<Dataplane>(new DryRun([this](const Table &table) { show(table); }));
    SLUICE_ASSIGN(auto opened, open_dataplane(layout_, family, shared_, options_.ipvs),
                  name_of(family));
    if (opened.monitor)
      watches.push_back({family, std::move(*opened.monitor)});
    return std::move(opened.dataplane);
  }

  /// Once each family has shown its table.
  void show(const Table &table) {
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

  Result<> open_doors() {
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

  /// In an upgrade that overlaps, the one that still runs has the socket.
  Result<> open_control() {
    auto opened = try_open_control();
    if (opened || opened.error().code() != Errc::already_exists)
      return opened;
    log_warning("no control socket; trying again every 5 s", {{"error", opened.error()}});
    control_retry_.emplace([this] { return try_open_control().has_value(); });
    return {};
  }

  Result<> try_open_control() {
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

  /// A failure is said once, and again if it is another one or ten minutes have gone. That a server
  /// wants no WatchList or has forgotten a version is no failure.
  std::function<void(const Error &)> say_failures() const {
    return [this, said = std::string(), at = Clock::time_point()](const Error &error) mutable {
      const bool normal = error.code() == Errc::invalid_input ||
                          error.code() == Errc::unsupported || error.code() == Errc::expired;
      const auto now = clock_.now();
      if (normal || (error.what() == said && now - at < std::chrono::minutes(10)))
        return;
      said = error.what();
      at = now;
      log_warning("no news from the API server; what is known stays", {{"error", error}});
    };
  }

  /// For `sluicectl proxy status`.
  nlohmann::json more_status() {
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
            {"config", options_.own.configFile},
            {"warnings", options_.warnings}};
  }

  template <class Object>
  std::unique_ptr<kube::Informer<Object>> informer(kube::WatchScope scope,
                                                   kube::InformerOptions options = {}) {
    if (!options.report)
      options.report = say_failures();
    return std::make_unique<kube::Informer<Object>>(
        *client_, std::move(scope),
        [this](kube::Change<Object> change) {
          // A first list comes faster than it is taken, and decoded objects are large.
          while (inbox_.size() > kLongestInbox && !inbox_.closed())
            std::this_thread::sleep_for(std::chrono::microseconds(200));
          inbox_.put({std::move(change), clock_.now()});
        },
        std::move(options));
  }

  Result<> watch_addresses() {
    SLUICE_ASSIGN(addresses_, AddressWatcher::start([this](std::set<IpAddress> addresses) {
                    inbox_.put({LocalAddresses{std::move(addresses)}, clock_.now()});
                  }),
                  "watch our addresses");
    return {};
  }

  void watch_api() {
    kube::InformerOptions large;
    large.identitiesOnly = true; // the model keeps what it needs of each object
    // Headless Services come too and the model skips them: older API servers refuse a list with the
    // field selector spec.clusterIP (seen with 1.20).
    services_ =
        informer<kube::Service>({"", "!service.kubernetes.io/service-proxy-name", ""}, large);
    slices_ = informer<kube::EndpointSlice>({"", "!service.kubernetes.io/headless", ""}, large);
    nodes_ = informer<kube::Node>({"", "", "metadata.name=" + node_name_});
    service_cidrs_ = informer<kube::ServiceCIDR>({}, service_cidr_options());
  }

  /// An API server that has no ServiceCIDRs, or shows us none, is no error: --service-cidrs says
  /// what it would.
  static kube::InformerOptions service_cidr_options() {
    kube::InformerOptions options;
    options.backoff = {.first = std::chrono::seconds(10), .longest = std::chrono::minutes(10)};
    options.report = [told = false](const Error &error) mutable {
      const bool none = error.code() == Errc::not_found || error.code() == Errc::no_permission;
      if (none && !std::exchange(told, true))
        log_info("no ServiceCIDRs to be had; --service-cidrs counts alone", {{"error", error}});
    };
    return options;
  }

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
  std::unique_ptr<KernelWatcher> watcher_;
  std::jthread take_over_;
  std::unique_ptr<AddressWatcher> addresses_;
  std::unique_ptr<kube::daemon::SignalListener> signals_;
  std::unique_ptr<ConfigWatcher> config_watcher_;
  std::unique_ptr<kube::Informer<kube::Service>> services_;
  std::unique_ptr<kube::Informer<kube::EndpointSlice>> slices_;
  std::unique_ptr<kube::Informer<kube::Node>> nodes_;
  std::unique_ptr<kube::Informer<kube::ServiceCIDR>> service_cidrs_;
};

/// Runs until it is told to stop. A configuration that needs other sockets or another API server
/// is run with in the same process; if that fails, the one from before is.
Result<> serve(const CommandLine &line, ProxyOptions options) {
  kube::daemon::Metrics metrics;
  count_reload(metrics);
  std::optional<ProxyOptions> before;
  Layout last;
  for (;;) {
    SLUICE_ASSIGN(auto name, node_name(options), "find our Node's name");
    settle_process(options);
    Daemon daemon(line, options, name, metrics, last);
    if (auto started = daemon.start(); !started) {
      if (!before)
        return fail(std::move(started.error()));
      refuse_reload(metrics, started.error());
      options = std::move(*std::exchange(before, std::nullopt));
      continue;
    }
    log_info("sluice-proxy started", {{"node", name}, {"mode", options.mode}});
    daemon.run();
    if (!daemon.next())
      break;
    before = daemon.options();
    last = daemon.layout();
    options = *daemon.next();
  }
  log_info("sluice-proxy ends; the rules stay in the kernel");
  return {};
}

Result<> run(const CommandLine &line) {
  SLUICE_ASSIGN(auto options, load_options(line), "sluice-proxy");
  if (!options.own.writeConfigTo.empty())
    return kernel::write_file(options.own.writeConfigTo, config::to_yaml(options.config));
  if (options.own.cleanup)
    return clean_up();
  SLUICE_ASSIGN(const auto warning, check_families(options, families_of_host()), "sluice-proxy");
  if (!warning.empty())
    options.warnings.push_back(warning);
  for (const auto &text : options.warnings)
    log_warning("configuration", {{"what", text}});
  if (options.own.initOnly) {
    settle_process(options);
    return {};
  }
  return serve(line, std::move(options));
}

} // namespace
} // namespace sluice::proxy

int main(int argc, char **argv) {
  using namespace sluice;
  // Threads hand objects over to the loop: with a heap for each, none of them would shrink.
  ::mallopt(M_ARENA_MAX, 1);
  if (auto blocked = kube::daemon::block_signals(); !blocked) {
    kube::daemon::log_error("cannot block signals", {{"error", blocked.error()}});
    return 1;
  }
  const auto line = proxy::parse_command_line(argc, argv);
  if (line.exitCode) {
    std::fputs(line.text.c_str(), *line.exitCode == 0 ? stdout : stderr);
    return *line.exitCode;
  }
  if (auto done = proxy::run(line); !done) {
    kube::daemon::log_error("sluice-proxy ends", {{"error", done.error()}});
    return 1;
  }
  return 0;
}
