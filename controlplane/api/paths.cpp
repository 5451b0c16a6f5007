// What is no resource: discovery, OpenAPI, version, health.
#include "controlplane/api/call.hpp"
#include "controlplane/api/discovery.hpp"
#include "controlplane/api/media.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

Answer discovery_answer(const Call &call, bool core) {
  const auto version = negotiate_discovery(call.request.header("accept"));
  if (!version)
    return error_answer(not_acceptable("only the following media types are accepted: "
                                       "application/json"));
  if (version->empty())
    return json_answer(200, core ? api_versions(call.services.serverAddress) : api_group_list());
  auto answer = json_answer(200, aggregated_discovery(core, *version));
  // kubectl reads the form from here, not from the document.
  answer.contentType =
      "application/json;g=apidiscovery.k8s.io;v=" + *version + ";as=APIGroupDiscoveryList";
  answer.headers.emplace_back("Vary", "Accept");
  return answer;
}

std::optional<Answer> document_answer(const json &document) {
  if (document.is_null())
    return std::nullopt;
  return json_answer(200, document);
}

std::optional<Answer> group_answer(std::string_view rest) {
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos)
    return document_answer(api_group(rest));
  return document_answer(api_resource_list(rest.substr(0, slash), rest.substr(slash + 1)));
}

Answer openapi_v2_answer(const Call &call) {
  for (const auto &type : parse_accept(call.request.header("accept")))
    if (type.type == "application/json")
      return json_answer(200, {{"swagger", "2.0"},
                               {"info", {{"title", "Kubernetes"}, {"version", "v1.32.0+sluice"}}},
                               {"paths", json::object()},
                               {"definitions", json::object()}});
  // The name that clients ask for holds an '@', which their own parser of Content-Type refuses.
  return text_answer(200, openapi_v2_protobuf(),
                     "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
}

Answer root_answer() {
  json paths = {"/api",        "/api/v1",     "/apis",   "/healthz", "/livez",
                "/openapi/v2", "/openapi/v3", "/readyz", "/version"};
  return json_answer(200, {{"paths", std::move(paths)}});
}

std::string_view without_slash(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/'))
    path.remove_suffix(1);
  return path;
}

} // namespace

std::optional<Answer> answer_path(const Call &call) {
  if (call.route.verb != "get")
    return error_answer(method_not_allowed());
  const auto path = without_slash(call.route.path);
  for (const std::string_view health : {"/healthz", "/livez", "/readyz"})
    if (path == health || path.starts_with(std::string(health) + "/"))
      return text_answer(200, "ok");
  if (path == "/")
    return root_answer();
  if (path == "/version")
    return json_answer(200, version_document());
  if (path == "/api" || path == "/apis")
    return discovery_answer(call, path == "/api");
  if (path.starts_with("/api/"))
    return document_answer(api_resource_list("", path.substr(5)));
  if (path.starts_with("/apis/"))
    return group_answer(path.substr(6));
  if (path == "/openapi/v2")
    return openapi_v2_answer(call);
  if (path == "/openapi/v3")
    return json_answer(200, openapi_v3_index());
  if (path.starts_with("/openapi/v3/"))
    return document_answer(openapi_v3(path.substr(12)));
  return std::nullopt;
}

} // namespace sluice::controlplane
