#include "node/leftovers.hpp"

#include "cni/names.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::node {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json &object, const char *key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

cni::Attachment attachment_of(const ipam::Record &record) {
  return {record.container_id, record.ifname};
}

std::optional<std::string> read_file(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool exists(const std::string &path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown) || unknown;
}

/// A record that is gone or does not tell its age is young.
std::chrono::seconds age_of(const std::string &file, std::filesystem::file_time_type now) {
  std::error_code failed;
  const auto written = std::filesystem::last_write_time(file, failed);
  return failed ? std::chrono::seconds(0)
                : std::chrono::duration_cast<std::chrono::seconds>(now - written);
}

StoredAddress observe(const ipam::Record &record, const LeftoverPlaces &places,
                      std::filesystem::file_time_type now) {
  StoredAddress address{.record = record};
  address.age = age_of(places.networks_folder + "/" + places.network + "/" + record.ip.str(), now);
  const auto cache = places.results_folder + "/" + places.network + "-" + record.container_id +
                     "-" + record.ifname;
  address.has_cache = exists(cache);
  if (const auto text = read_file(cache))
    address.cached = parse_cached_result(*text, exists);
  return address;
}

} // namespace

std::optional<CachedResult>
parse_cached_result(const std::string &text,
                    const std::function<bool(const std::string &path)> &exists) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("result") || !json["result"].is_object())
    return std::nullopt;
  const auto &result = json["result"];
  const auto interfaces = result.find("interfaces");
  // Results before 0.3.0 name no interfaces: they say nothing of the pod's links.
  if (interfaces == result.end() || !interfaces->is_array())
    return std::nullopt;
  CachedResult cached;
  for (const auto &interface : *interfaces) {
    if (!interface.is_object())
      return std::nullopt;
    const auto sandbox = text_at(interface, "sandbox");
    if (!sandbox.empty())
      cached.namespace_exists |= exists(sandbox);
    else if (const auto name = text_at(interface, "name"); name.starts_with("veth"))
      cached.host_links.push_back(name); // the bridge outlives its pods
  }
  return cached;
}

HostLinks host_links(const std::vector<kernel::Link> &links) {
  HostLinks seen;
  for (const auto &link : links) {
    seen.names.insert(link.name);
    if (!link.alias.empty())
      seen.aliases.insert(link.alias);
  }
  return seen;
}

bool is_leftover(const std::string &network, const StoredAddress &address, const HostLinks &links) {
  const auto &record = address.record;
  // A record without an interface is of a very old version; one without a container is an
  // interrupted write, which the next ADD reclaims.
  if (record.container_id.empty() || record.ifname.empty() || address.age < kLeftoverAge)
    return false;
  const auto attachment = attachment_of(record);
  if (links.names.count(cni::host_link_name(network, attachment)) > 0 ||
      links.aliases.count(cni::host_link_alias(network, attachment)) > 0)
    return false;
  if (!address.has_cache)
    return true;
  if (!address.cached || address.cached->namespace_exists)
    return false;
  const auto &named = address.cached->host_links;
  return std::none_of(named.begin(), named.end(),
                      [&](const auto &link) { return links.names.count(link) > 0; });
}

Result<std::vector<IpAddress>> release_leftovers(kernel::Rtnl &rtnl, const LeftoverPlaces &places,
                                                 std::filesystem::file_time_type now) {
  const auto folder = places.networks_folder + "/" + places.network;
  const auto failed = [&](const cni::CniError &error) {
    return fail(Errc::io, "look for addresses of pods that are gone: " + error.message());
  };
  auto store = ipam::Store::open_existing(folder);
  if (!store)
    return failed(store.error());
  if (!*store)
    return std::vector<IpAddress>();
  if (const auto scanned = (*store)->scan(); !scanned)
    return failed(scanned.error());
  SLUICE_ASSIGN(const auto links, rtnl.read_links(), "look for addresses of pods that are gone");
  const auto seen = host_links(links);
  std::vector<IpAddress> released;
  for (const auto &record : (*store)->records())
    if (is_leftover(places.network, observe(record, places, now), seen))
      released.push_back(record.ip);
  for (const auto &ip : released)
    if (const auto done = (*store)->release(ip); !done)
      return failed(done.error());
  (*store)->save_index();
  return released;
}

} // namespace sluice::node
