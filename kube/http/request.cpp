#include "kube/http/server.hpp"

namespace sluice::kube::http {

const std::string &Request::parameter(const std::string &name) const {
  static const std::string kNone;
  const auto found = query.lower_bound(name); // the first of equal names
  return found != query.end() && found->first == name ? found->second : kNone;
}

std::string_view Request::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : found->second;
}

} // namespace sluice::kube::http
