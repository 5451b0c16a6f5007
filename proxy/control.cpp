#include "proxy/control.hpp"

#include "proxy/json.hpp"

#include <future>
#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

using nlohmann::json;
using Answer = Result<json>;

json family_status(FamilySync &sync) {
  const auto &model = sync.model();
  json out = {{"family", name_of(model.family())},
              {"inStep", sync.in_step() && !sync.oldest_change()},
              {"services", model.service_count()},
              {"endpointSlices", model.slice_count()},
              {"endpoints", model.endpoint_count()},
              {"frontends", model.table().frontends.size()},
              {"backendSets", model.table().backendSets.size()}};
  if (sync.last_error())
    out["error"] = sync.last_error()->what();
  return out;
}

Answer status(Runner &runner, const DaemonInfo &info) {
  json families = json::array();
  for (const auto &sync : runner.families())
    families.push_back(family_status(*sync));
  return json{{"mode", info.mode},         {"node", info.nodeName},
              {"version", info.version},   {"nodeKnown", runner.node().has_value()},
              {"synced", runner.synced()}, {"families", std::move(families)}};
}

Answer dump(Runner &runner) {
  json tables = json::array();
  for (const auto &sync : runner.families())
    tables.push_back(to_json(sync->model().table()));
  return json{{"tables", std::move(tables)}};
}

Answer explain(Runner &runner, const Flow &flow) {
  auto *sync = runner.family(flow.destination.family());
  if (!sync)
    return fail(Errc::unsupported,
                "this node has no " + std::string(name_of(flow.destination.family())));
  json out = {{"model", to_json(sync->model().explain(flow))}};
  if (auto kernel = sync->dataplane().explain(flow))
    out["kernel"] = to_json(*kernel);
  else
    out["kernel"] = {{"error", kernel.error().what()}};
  return out;
}

} // namespace

Answer on_loop(Inbox &inbox, const Clock &clock, std::function<Answer(Runner &)> ask) {
  // Shared: the loop may come to it after we have given up waiting.
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  const bool taken = inbox.put(
      {Call([promise, ask = std::move(ask)](Runner &runner) { promise->set_value(ask(runner)); }),
       clock.now()});
  if (!taken)
    return fail(Errc::unavailable, "the proxy is stopping");
  if (answer.wait_for(std::chrono::seconds(5)) != std::future_status::ready)
    return fail(Errc::unavailable, "the proxy's loop is busy; try again");
  return answer.get();
}

kube::daemon::ControlServer::Verbs control_verbs(Inbox &inbox, const Clock &clock,
                                                 DaemonInfo info) {
  kube::daemon::ControlServer::Verbs verbs;
  verbs["status"] = [&inbox, &clock, info](const json &) {
    return on_loop(inbox, clock, [info](Runner &runner) { return status(runner, info); });
  };
  verbs["dump"] = [&inbox, &clock](const json &) { return on_loop(inbox, clock, dump); };
  verbs["explain"] = [&inbox, &clock](const json &request) -> Answer {
    SLUICE_ASSIGN(const auto flow, flow_from(request), "explain");
    return on_loop(inbox, clock, [flow](Runner &runner) { return explain(runner, flow); });
  };
  return verbs;
}

} // namespace sluice::proxy
