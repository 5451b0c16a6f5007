#include "controlplane/registry/shelf.hpp"

#include "controlplane/resources/access.hpp"
#include "net/base64.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {

Shelf::Shelf(const ResourceType &type, std::size_t history, std::uint64_t complete_after)
    : type_(type), history_limit_(history), complete_after_(complete_after) {}

void Shelf::load(StoredPtr object) { objects_[object->key] = std::move(object); }

void Shelf::apply(Revision revision) {
  if (revision.kind == Revision::Kind::deleted)
    objects_.erase(revision.object->key);
  else
    objects_[revision.object->key] = revision.object;
  history_.push_back(std::move(revision));
  while (history_.size() > history_limit_) {
    complete_after_ = history_.front().version();
    history_.pop_front();
  }
}

StoredPtr Shelf::find(const Key &key) const {
  const auto entry = objects_.find(key);
  return entry == objects_.end() ? nullptr : entry->second;
}

std::vector<Revision> Shelf::after(std::uint64_t version) const {
  const auto first = std::upper_bound(
      history_.begin(), history_.end(), version,
      [](std::uint64_t wanted, const Revision &revision) { return wanted < revision.version(); });
  return {first, history_.end()};
}

ApiResult<std::map<Key, StoredPtr>> Shelf::at(std::uint64_t version) const {
  if (version < complete_after_)
    return refuse(expired("The provided resource version is too old: " + std::to_string(version) +
                          " (" + std::to_string(complete_after_) + ")"));
  auto objects = objects_;
  for (auto revision = history_.rbegin();
       revision != history_.rend() && revision->version() > version; ++revision) {
    if (revision->previous)
      objects[revision->object->key] = revision->previous;
    else
      objects.erase(revision->object->key);
  }
  return objects;
}

namespace {

ListResult page_of(const std::map<Key, StoredPtr> &objects, const ResourceType &type,
                   const ListOptions &options, const std::optional<Key> &after, std::uint64_t limit,
                   std::uint64_t version) {
  ListResult result;
  result.resourceVersion = version;
  const auto &wanted = options.selection;
  Key first{wanted.namespace_, ""};
  if (after && first < *after)
    first = *after;
  auto entry = after ? objects.upper_bound(first) : objects.lower_bound(first);
  for (; entry != objects.end(); ++entry) {
    if (!wanted.namespace_.empty() && entry->first.namespace_ != wanted.namespace_)
      break;
    if (!wanted.matches(type, *entry->second))
      continue;
    if (limit > 0 && result.items.size() == limit)
      break;
    result.items.push_back(entry->second);
  }
  const bool more = entry != objects.end() &&
                    (wanted.namespace_.empty() || entry->first.namespace_ == wanted.namespace_);
  if (!more)
    return result;
  result.continueToken = ContinueToken{version, result.items.back()->key}.str();
  if (wanted.labels.everything() && wanted.fields.everything()) {
    const auto same_namespace = [&wanted](const auto &other) {
      return wanted.namespace_.empty() || other.first.namespace_ == wanted.namespace_;
    };
    result.remaining =
        static_cast<std::uint64_t>(std::count_if(entry, objects.end(), same_namespace));
  }
  return result;
}

} // namespace

ApiResult<ListResult> Shelf::list(const ListOptions &options, std::uint64_t visible) const {
  if (!options.continueToken.empty()) {
    const auto token = ContinueToken::parse(options.continueToken);
    if (!token)
      return refuse(token.error());
    const auto version = token->version == 0 ? visible : token->version;
    auto objects = at(version);
    if (!objects) {
      auto error = expired("The provided continue parameter is too old to display a consistent "
                           "list result. You can start a new list without the continue parameter, "
                           "or use the continue token in this response to retrieve the remainder "
                           "of the results. Continuing with the provided token results in an "
                           "inconsistent list.");
      error.continueToken = ContinueToken{0, token->start}.str();
      return refuse(std::move(error));
    }
    return page_of(*objects, type_, options, token->start, options.limit, version);
  }
  const auto version = parse_resource_version(options.resourceVersion);
  if (!version)
    return refuse(version.error());
  if (options.resourceVersionMatch == "Exact") {
    auto objects = at(*version);
    if (!objects)
      return refuse(objects.error());
    return page_of(*objects, type_, options, std::nullopt, options.limit, *version);
  }
  // "0" asks for whatever a cache has: the real server does not page then.
  const auto limit = options.resourceVersion == "0" ? 0 : options.limit;
  return page_of(objects_, type_, options, std::nullopt, limit, visible);
}

std::string ContinueToken::str() const {
  const json token = {{"v", "meta.k8s.io/v1"},
                      {"rv", version == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(version)},
                      {"start", start.namespace_ + "/" + start.name}};
  return base64url_encode(token.dump());
}

ApiResult<ContinueToken> ContinueToken::parse(std::string_view token) {
  const auto refused = [] {
    return refuse(bad_request("continue key is not valid: it was not made by this server"));
  };
  const auto bytes = base64_decode(token);
  const auto document = json::parse(bytes ? *bytes : "", nullptr, false);
  if (!bytes || !document.is_object() || text(document, "v") != "meta.k8s.io/v1")
    return refused();
  const auto start = text(document, "start");
  const auto slash = start.find('/');
  const auto version = number(document, "rv");
  if (slash == std::string::npos || version == 0 || version < -1)
    return refused();
  return ContinueToken{version < 0 ? 0 : static_cast<std::uint64_t>(version),
                       {start.substr(0, slash), start.substr(slash + 1)}};
}

ApiResult<std::uint64_t> parse_resource_version(std::string_view version) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  if (!version.empty() && (error != std::errc() || end != version.data() + version.size()))
    return refuse(bad_request("Invalid value: \"" + std::string(version) +
                              "\": resource version must be a number"));
  return number;
}

} // namespace sluice::controlplane
