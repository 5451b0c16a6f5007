#include "cli/proxy_text.hpp"

#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kLabelWidth = 12;

std::string text_at(const json &object, const char *key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null())
    return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

const json &list_at(const json &object, const char *key) {
  static const json nothing = json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : nothing;
}

const json &object_at(const json &object, const char *key) {
  static const json nothing = json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : nothing;
}

/// Lines of a label and a text; a label is printed once for lines that follow each other.
class Lines {
public:
  void head(const std::string &text) { out_ += text + "\n"; }
  void add(const std::string &label, const std::string &text) {
    if (text.empty())
      return;
    const auto shown = label == last_ ? std::string() : label;
    last_ = label;
    out_ += "  " + shown + std::string(kLabelWidth - std::min(shown.size(), kLabelWidth - 1), ' ') +
            text + "\n";
  }
  std::string take() { return std::move(out_); }

private:
  std::string out_, last_;
};

std::string flow_text(const json &answer) {
  const auto &flow = object_at(answer, "flow");
  const auto from = text_at(answer, "from"), source = text_at(flow, "source"),
             in = text_at(flow, "inInterface");
  const auto to = text_at(flow, "destination");
  const bool v6 = to.find(':') != std::string::npos;
  std::string text = from.empty() || from == source ? source : from + " (" + source + ")";
  if (!in.empty() && in != "?")
    text += ", in by " + in + ",";
  return text + " -> " + (v6 ? "[" + to + "]" : to) + ":" + text_at(flow, "port") + "/" +
         text_at(flow, "protocol");
}

std::string verdict_text(const json &model) {
  const auto verdict = text_at(model, "verdict");
  const auto &reasons = list_at(model, "reasons");
  const auto why = reasons.empty() ? std::string() : reasons.back().get<std::string>();
  if (verdict == "translate") {
    const auto count = list_at(model, "backends").size();
    return count == 1 ? "goes to the one endpoint"
                      : "goes to one of " + std::to_string(count) + " endpoints, by chance";
  }
  if (verdict == "reject")
    return "REJECT (connection refused): " + why;
  if (verdict == "drop")
    return "DROP (no answer): " + why;
  return "not touched: " + why;
}

std::string endpoint_text(const json &endpoint) {
  auto text = text_at(endpoint, "address");
  if (endpoint.value("local", false))
    text += "  on this node";
  if (endpoint.value("terminating", false) && endpoint.value("used", false))
    text += "  terminating";
  const auto why = text_at(endpoint, "leftOut");
  return why.empty() ? text : text + "  " + why;
}

void add_model(const json &model, Lines &lines) {
  const auto &reasons = list_at(model, "reasons");
  if (!text_at(model, "frontend").empty() && !reasons.empty())
    lines.add("service", reasons.front().get<std::string>());
  lines.add("source", text_at(model, "source"));
  lines.add("verdict", verdict_text(model));
  if (const auto list = text_at(model, "list"); !list.empty())
    lines.add("list", list + ": " + text_at(model, "listReason"));
  if (const auto &topology = object_at(model, "topology"); !topology.empty())
    lines.add("topology", text_at(topology, "mode") + ": " + text_at(topology, "reason"));
  lines.add("source NAT", text_at(model, "masqueradeReason"));
  for (const auto &endpoint : list_at(model, "endpoints"))
    if (endpoint.value("used", false))
      lines.add("endpoints", endpoint_text(endpoint));
  for (const auto &endpoint : list_at(model, "endpoints"))
    if (!endpoint.value("used", false))
      lines.add("left out", endpoint_text(endpoint));
  for (const auto &note : list_at(model, "notes"))
    lines.add("note", note.get<std::string>());
}

void add_kernel(const json &answer, Lines &lines) {
  const auto &kernel = object_at(answer, "kernel");
  if (const auto error = text_at(kernel, "error"); !error.empty())
    return lines.add("kernel", "cannot be asked: " + error);
  const auto &differences = list_at(answer, "differences");
  lines.add("kernel",
            differences.empty() ? "says the same" : "DIFFERS; the next read-back mends it");
  for (const auto &difference : differences)
    lines.add("kernel", difference.get<std::string>());
  for (const auto &object : list_at(kernel, "objects"))
    lines.add("kernel", object.get<std::string>());
}

/// "iptables (iptables-nft)", "ipvs".
std::string mode_of(const json &answer) {
  const auto mode = text_at(answer, "mode"), layout = text_at(answer, "layout");
  return layout.empty() || layout == mode ? mode : mode + " (" + layout + ")";
}

void add_family(const json &family, const json &kernel, Lines &lines) {
  const auto name = text_at(family, "family");
  auto text = family.value("inStep", false) ? std::string("in step") : std::string("NOT in step");
  if (const auto error = text_at(family, "error"); !error.empty())
    text += ": " + error;
  lines.add(name, text);
  lines.add(name, text_at(family, "services") + " Services, " + text_at(family, "endpoints") +
                      " endpoints in " + text_at(family, "endpointSlices") +
                      " slices: " + text_at(family, "frontends") + " frontends, " +
                      text_at(family, "backendSets") + " backend sets");
  for (const auto &endpoint : list_at(family, "drainingEndpoints"))
    lines.add(name, text_at(endpoint, "address") + "/" + text_at(endpoint, "protocol") +
                        " left, and drains since " + text_at(endpoint, "seconds") + " s");
  if (const auto &more = object_at(kernel, name.c_str()); !more.empty())
    lines.add(name, "last sync " + text_at(more, "lastSync") + ", repairs " +
                        text_at(more, "repairs") + ", failures " + text_at(more, "failures"));
}

} // namespace

std::string explain_text(const json &answer) {
  Lines lines;
  lines.head(flow_text(answer));
  add_model(object_at(answer, "model"), lines);
  add_kernel(answer, lines);
  return lines.take();
}

std::string status_text(const json &answer) {
  Lines lines;
  lines.head("sluice-proxy " + text_at(answer, "version") + " on node " + text_at(answer, "node") +
             ", mode " + mode_of(answer));
  if (!answer.value("synced", true))
    lines.add("waiting", "for the first complete lists of the API server");
  if (!answer.value("nodeKnown", true))
    lines.add("node", "the API server has no Node of this name");
  if (const auto &api = object_at(answer, "api"); !api.empty())
    lines.add("API server",
              text_at(api, "server") + (api.value("connected", false) ? "" : " does NOT answer"));
  for (const auto &family : list_at(answer, "families"))
    add_family(family, object_at(answer, "kernel"), lines);
  for (const auto &name : list_at(answer, "draining"))
    lines.add("draining", name.get<std::string>() + ": open connections still need it");
  lines.add("config", text_at(answer, "config"));
  for (const auto &sysctl : list_at(answer, "sysctls"))
    if (!sysctl.value("enough", true))
      lines.add("sysctl", text_at(sysctl, "name") + " is " +
                              (text_at(sysctl, "present").empty() ? "not there"
                                                                  : text_at(sysctl, "present")) +
                              ", configured " + text_at(sysctl, "wanted"));
  for (const auto &warning : list_at(answer, "warnings"))
    lines.add("warning", warning.get<std::string>());
  return lines.take();
}

std::string mode_text(const json &answer) {
  auto text = mode_of(answer);
  if (!answer.value("started", false))
    text += ", not in the kernel yet";
  text += "\n";
  for (const auto &name : list_at(answer, "draining"))
    text += "still there for open connections: " + name.get<std::string>() + "\n";
  return text;
}

std::string dump_text(const json &answer) {
  Lines lines;
  for (const auto &table : list_at(answer, "tables")) {
    lines.head(text_at(table, "family"));
    const auto &sets = object_at(table, "backendSets");
    const auto set = [&](const json &path) {
      std::string text;
      for (const auto &backend : list_at(sets, text_at(path, "backends").c_str()))
        text += (text.empty() ? "" : " ") + text_at(backend, "address");
      if (text.empty())
        return text_at(path, "whenEmpty");
      return text + (path.value("masquerade", false) ? " (masqueraded)" : "");
    };
    for (const auto &frontend : list_at(table, "frontends")) {
      lines.head("  " + text_at(frontend, "frontend") + "  " + text_at(frontend, "kind") + " of " +
                 text_at(frontend, "service"));
      for (const auto &[key, label] :
           {std::pair("fromPod", "  pods"), {"fromNode", "  node"}, {"fromOutside", "  others"}})
        lines.add(label, set(object_at(frontend, key)));
    }
  }
  return lines.take();
}

} // namespace sluice::cli
