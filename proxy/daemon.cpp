#include "proxy/daemon.hpp"

#include "kube/daemon/log.hpp"
#include "proxy/process.hpp"

#include <csignal>
#include <nlohmann/json.hpp>

namespace sluice::proxy {

using kube::daemon::log_info;

Daemon::Daemon(const CommandLine &line, ProxyOptions options, std::string name,
               kube::daemon::Metrics &metrics, Layout before)
    : line_(line), options_(std::move(options)), node_name_(std::move(name)),
      before_(std::move(before)), metrics_(metrics) {}

Result<> Daemon::start() {
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
  feed_ = std::make_unique<ApiFeed>(*client_, node_name_, options_.externalIPs, inbox_, clock_);
  return {};
}

void Daemon::run() {
  runner_->run();
  inbox_.close(); // nobody waits for room in it any more
  proxy_metrics_.mode_ends();
}

Result<> Daemon::watch_config() {
  if (options_.own.configFile.empty() || options_.own.dryRun)
    return {};
  SLUICE_ASSIGN(config_watcher_,
                ConfigWatcher::start(options_.own.configFile, [this] { reload_soon(); }),
                "watch --config");
  return {};
}

void Daemon::reload_soon() {
  inbox_.put({Call([this](Runner &runner) { reload(runner); }), clock_.now()});
}

void Daemon::reload(Runner &runner) {
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

Result<nlohmann::json> Daemon::mode(const std::string &wanted) {
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
      {"retiring", retirement_ ? retirement_->present() : std::vector<std::string>{}},
      {"draining", retirement_ ? retirement_->draining() : std::vector<std::string>{}}};
}

void Daemon::stop() { inbox_.put({Stop{}, clock_.now()}); }

} // namespace sluice::proxy
