#include "controlplane/api/route.hpp"

#include <strings.h>

namespace sluice::controlplane {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  while (start < path.size()) {
    auto end = path.find('/', start);
    if (end == std::string_view::npos)
      end = path.size();
    if (end > start)
      parts.emplace_back(path.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

std::string verb_of(const kube::http::Request &request, const Route &route) {
  const bool named = !route.name.empty();
  if (request.method == "POST")
    return "create";
  if (request.method == "PUT")
    return "update";
  if (request.method == "PATCH")
    return "patch";
  if (request.method == "DELETE")
    return named ? "delete" : "deletecollection";
  if (request.method != "GET" && request.method != "HEAD")
    return "";
  if (named)
    return "get";
  return is_true(request.parameter("watch")) ? "watch" : "list";
}

/// Where the resource begins in `parts`; 0 if this is no path of a resource.
std::size_t resource_start(const std::vector<std::string> &parts) {
  if (parts.size() >= 3 && parts[0] == "api")
    return 2;
  if (parts.size() >= 4 && parts[0] == "apis")
    return 3;
  return 0;
}

} // namespace

bool is_true(std::string_view text) {
  const std::string copy(text);
  return copy == "1" || ::strcasecmp(copy.c_str(), "true") == 0;
}

Attributes Route::attributes() const {
  if (!is_resource)
    return {.verb = verb, .path = path};
  return {verb, group, version, plural, subresource, namespace_, name, ""};
}

Route parse_route(const kube::http::Request &request) {
  Route route;
  route.path = request.path;
  const auto parts = split(request.path);
  const auto start = resource_start(parts);
  if (start == 0) {
    route.verb = verb_of(request, route);
    if (route.verb == "list" || route.verb == "watch")
      route.verb = "get";
    return route;
  }
  route.is_resource = true;
  route.version = parts[start - 1];
  if (start == 3)
    route.group = parts[1];
  const auto part = [&parts](std::size_t i) { return i < parts.size() ? parts[i] : std::string(); };
  const auto below = part(start + 2);
  const bool inside =
      parts[start] == "namespaces" && !below.empty() && below != "status" && below != "finalize";
  const auto first = inside ? start + 2 : start;
  if (inside)
    route.namespace_ = part(start + 1);
  route.plural = part(first);
  route.name = part(first + 1);
  route.subresource = part(first + 2);
  route.type = find_by_plural(route.group, route.version, route.plural);
  if (parts.size() > first + 3)
    route.type = nullptr;
  // The authorizer sees a Namespace as being inside itself, as the real server does.
  if (route.plural == "namespaces" && route.group.empty())
    route.namespace_ = "";
  route.verb = verb_of(request, route);
  return route;
}

} // namespace sluice::controlplane
