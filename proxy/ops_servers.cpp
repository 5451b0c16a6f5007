#include "proxy/ops_servers.hpp"

#include "kernel/sysctl.hpp"
#include "kube/daemon/log.hpp"
#include "kube/http/server.hpp"
#include "proxy/retry.hpp"

#include <tuple>

namespace sluice::proxy {
namespace {

using Handler = std::function<kube::http::Response(const kube::http::Request &)>;

kube::http::Response answer(int status, std::string contentType, std::string body) {
  return {status, std::move(contentType), {}, std::make_shared<const std::string>(std::move(body))};
}

kube::http::Response no_such_page() {
  return answer(404, "text/plain; charset=utf-8", "404 page not found\n");
}

/// How full the kernel's connection tracking table is: full, it drops new connections.
void read_conntrack_usage(kube::daemon::Metrics &metrics) {
  const kernel::Sysctl sysctl;
  for (const auto &[name, file, help] :
       {std::tuple{"sluice_conntrack_entries", "net/netfilter/nf_conntrack_count",
                   "Flows in the kernel's connection tracking table."},
        std::tuple{"sluice_conntrack_entries_limit", "net/netfilter/nf_conntrack_max",
                   "How many flows the table takes."}})
    if (const auto text = sysctl.read(file))
      metrics.gauge(name, help).set(std::strtod(text->c_str(), nullptr));
}

/// One address that is to be listened on.
class Listener {
public:
  Listener(OpsServers::Kind kind, SocketAddress address, Handler handler)
      : kind_(kind), address_(address), handler_(std::move(handler)) {}

  Result<> listen() {
    kube::http::ServerOptions options;
    options.listen = {address_};
    SLUICE_ASSIGN(server_,
                  kube::http::Server::start(
                      std::move(options),
                      [handler = handler_](std::shared_ptr<kube::http::Exchange> exchange) {
                        exchange->reply(handler(exchange->request()));
                      }),
                  std::string("listen for ") +
                      (kind_ == OpsServers::Kind::health ? "health" : "metrics") + " on " +
                      address_.str());
    return {};
  }
  OpsServers::Kind kind() const noexcept { return kind_; }
  bool listening() const noexcept { return server_ != nullptr; }

private:
  OpsServers::Kind kind_;
  SocketAddress address_;
  Handler handler_;
  std::unique_ptr<kube::http::Server> server_;
};

} // namespace

struct OpsServers::Impl {
  std::vector<Listener> listeners;
  std::optional<Retry> retry; ///< last: it uses `listeners`

  bool try_all() {
    bool all = true;
    for (auto &listener : listeners)
      all = (listener.listening() || listener.listen()) && all;
    return all;
  }

  Result<> start(bool hard_fail, const CannotListen &cannot_listen) {
    for (auto &listener : listeners)
      if (auto listening = listener.listen(); !listening) {
        cannot_listen(listener.kind(), listening.error());
        if (hard_fail)
          return fail(std::move(listening.error()));
        kube::daemon::log_warning("cannot listen; trying again every 5 s",
                                  {{"error", listening.error()}});
      }
    if (!std::all_of(listeners.begin(), listeners.end(),
                     [](const Listener &listener) { return listener.listening(); }))
      retry.emplace([this] {
        const bool all = try_all();
        if (all)
          kube::daemon::log_info("listening for health and metrics");
        return all;
      });
    return {};
  }
};

OpsServers::OpsServers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OpsServers::~OpsServers() = default;

Result<std::unique_ptr<OpsServers>>
OpsServers::start(const ProxyOptions &options, const HealthBoard &board,
                  kube::daemon::Metrics &metrics, const Clock &clock, CannotListen cannot_listen) {
  auto impl = std::make_unique<Impl>();
  const Handler health = [&board, &clock, &metrics, patience = 2 * options.periods.period](
                             const kube::http::Request &request) {
    if (request.path == "/readyz") {
      const auto state = readiness_of(board.snapshot());
      return answer(state.ok ? 200 : 503, "application/json", state.body);
    }
    if (request.path != "/healthz" && request.path != "/livez")
      return no_such_page();
    const bool with_node = request.path == "/healthz";
    const auto state = health_of(board.snapshot(), with_node, clock.now(),
                                 std::chrono::system_clock::now(), patience);
    metrics
        .counter(with_node ? "kubeproxy_proxy_healthz_total" : "kubeproxy_proxy_livez_total",
                 "Answers by code.", {{"code", state.ok ? "200" : "503"}})
        .add();
    return answer(state.ok ? 200 : 503, "application/json", state.body);
  };
  const Handler figures = [&metrics, mode = options.mode](const kube::http::Request &request) {
    if (request.path == "/metrics") {
      read_conntrack_usage(metrics);
      return answer(200, kube::daemon::Metrics::kContentType, metrics.text());
    }
    if (request.path == "/healthz")
      return answer(200, "text/plain; charset=utf-8", "ok");
    if (request.path == "/proxyMode")
      return answer(200, "text/plain; charset=utf-8", mode);
    return no_such_page();
  };
  if (!options.healthzBindAddress.empty()) {
    SLUICE_ASSIGN(const auto address, SocketAddress::parse(options.healthzBindAddress), "health");
    impl->listeners.emplace_back(Kind::health, address, health);
  }
  if (!options.metricsBindAddress.empty()) {
    SLUICE_ASSIGN(const auto address, SocketAddress::parse(options.metricsBindAddress), "metrics");
    impl->listeners.emplace_back(Kind::metrics, address, figures);
  }
  SLUICE_TRY(impl->start(options.config.bindAddressHardFail, cannot_listen), "start");
  return std::unique_ptr<OpsServers>(new OpsServers(std::move(impl)));
}

} // namespace sluice::proxy
