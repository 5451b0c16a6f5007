#include "proxy/control.hpp"

#include "proxy/json.hpp"

#include <future>
#include <nlohmann/json.hpp>

namespace sluice::proxy {
namespace {

using nlohmann::json;
using Answer = Result<json>;

json draining_json(FamilySync &sync, Clock::time_point now) {
  json out = json::array();
  for (const auto &endpoint : sync.dataplane().draining())
    out.push_back(
        {{"address", endpoint.address.str()},
         {"protocol", name_of(endpoint.protocol)},
         {"seconds", std::chrono::floor<std::chrono::seconds>(now - endpoint.since).count()}});
  return out;
}

json family_status(FamilySync &sync, Clock::time_point now) {
  const auto &model = sync.model();
  json out = {{"family", name_of(model.family())},
              {"inStep", sync.in_step() && !sync.oldest_change()},
              {"services", model.service_count()},
              {"endpointSlices", model.slice_count()},
              {"endpoints", model.endpoint_count()},
              {"frontends", model.table().frontends.size()},
              {"backendSets", model.table().backendSets.size()},
              {"drainingEndpoints", draining_json(sync, now)}};
  if (sync.last_error())
    out["error"] = sync.last_error()->what();
  return out;
}

Answer status(Runner &runner, const DaemonInfo &info, Clock::time_point now) {
  json families = json::array();
  for (const auto &sync : runner.families())
    families.push_back(family_status(*sync, now));
  json out = {{"mode", info.mode},         {"node", info.nodeName},
              {"version", info.version},   {"nodeKnown", runner.node().has_value()},
              {"synced", runner.synced()}, {"families", std::move(families)}};
  if (info.more)
    out.update(info.more());
  return out;
}

Answer dump(Runner &runner) {
  json tables = json::array();
  for (const auto &sync : runner.families())
    tables.push_back(to_json(sync->model().table()));
  return json{{"tables", std::move(tables)}};
}

/// What the kernel does differently.
std::vector<std::string> differences(const Explanation &model, const Explanation &kernel) {
  std::vector<std::string> out;
  if (model.verdict != kernel.verdict)
    out.push_back("verdict: the model says " + model.verdict + ", the kernel " + kernel.verdict);
  std::set<SocketAddress> wanted, found;
  for (const auto &backend : model.backends)
    wanted.insert(backend.address);
  for (const auto &backend : kernel.backends)
    found.insert(backend.address);
  if (wanted != found)
    out.push_back("endpoints: the model has " + std::to_string(wanted.size()) + ", the kernel " +
                  std::to_string(found.size()) + " or others");
  if (model.masquerade != kernel.masquerade)
    out.push_back("masquerading differs");
  out.insert(out.end(), kernel.differences.begin(), kernel.differences.end());
  return out;
}

Answer explain(Runner &runner, const Flow &flow) {
  auto *sync = runner.family(flow.destination.family());
  if (!sync)
    return fail(Errc::unsupported,
                "this node has no " + std::string(name_of(flow.destination.family())));
  const auto findings = sync->model().find_out(flow);
  json out = {{"flow", to_json(flow)}, {"model", to_json(findings)}};
  auto kernel = sync->dataplane().explain(flow);
  if (!kernel) {
    out["kernel"] = {{"error", kernel.error().what()}};
    return out;
  }
  out["kernel"] = to_json(*kernel);
  for (auto &backend : out["kernel"]["backends"])
    backend.erase("local"); // is nothing that the kernel knows
  out["differences"] = differences(findings.packet, *kernel);
  return out;
}

/// The parts of a question that take time are answered on the caller's thread.
Answer explain_words(Inbox &inbox, const Clock &clock, const Lookups &lookups,
                     const json &request) {
  const auto word = [&](const char *key) {
    const auto found = request.find(key);
    return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  SLUICE_ASSIGN(const auto place, parse_place(word("from")), "explain");
  SLUICE_ASSIGN(const auto target, parse_target(word("to")), "explain");
  SLUICE_ASSIGN(const auto origin, find_origin(place, lookups), "explain");
  std::map<IpAddress, std::string> interfaces;
  if (!origin.this_node)
    for (const auto &ip : origin.addresses)
      interfaces[ip] = lookups.interface_of(ip);
  auto answer = on_loop(inbox, clock, [=](Runner &runner) -> Answer {
    std::vector<const Model *> models;
    for (const auto &sync : runner.families())
      models.push_back(&sync->model());
    SLUICE_ASSIGN(auto flow, find_flow(origin, target, models), "explain");
    // A packet of this node itself came in by no interface, any other by one.
    if (!origin.this_node) {
      const auto in = interfaces.find(flow.source);
      flow.inInterface = in == interfaces.end() || in->second.empty() ? "?" : in->second;
    }
    return explain(runner, flow);
  });
  if (answer)
    (*answer)["from"] = origin.words;
  return answer;
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
    return on_loop(inbox, clock,
                   [&clock, info](Runner &runner) { return status(runner, info, clock.now()); });
  };
  verbs["dump"] = [&inbox, &clock](const json &) { return on_loop(inbox, clock, dump); };
  verbs["explain"] = [&inbox, &clock, lookups = info.lookups](const json &request) -> Answer {
    if (request.contains("from") || request.contains("to"))
      return explain_words(inbox, clock, lookups, request);
    SLUICE_ASSIGN(const auto flow, flow_from(request), "explain");
    return on_loop(inbox, clock, [flow](Runner &runner) { return explain(runner, flow); });
  };
  return verbs;
}

} // namespace sluice::proxy
