#include "controlplane/registry/state.hpp"

#include "controlplane/registry/metadata.hpp"
#include "controlplane/resources/access.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {

json Stored::document() const { return json::parse(*bytes, nullptr, false); }

bool Selection::matches(const ResourceType &type, const Stored &object) const {
  if (!namespace_.empty() && object.key.namespace_ != namespace_)
    return false;
  if (!labels.matches(object.labels))
    return false;
  return fields.matches([&](const std::string &field) -> std::string {
    if (field == "metadata.name")
      return object.key.name;
    if (field == "metadata.namespace")
      return object.key.namespace_;
    for (std::size_t i = 0; i < type.fieldLabels.size() && i < object.fields.size(); ++i)
      if (type.fieldLabels[i].name == field)
        return object.fields[i];
    return {};
  });
}

StoredPtr make_stored(const ResourceType &type, const json &document, std::uint64_t version) {
  auto stored = std::make_shared<Stored>();
  stored->key = {text(document, "metadata.namespace"), text(document, "metadata.name")};
  stored->uid = text(document, "metadata.uid");
  stored->resourceVersion = version;
  stored->labels = labels_of(document);
  for (const auto &label : type.fieldLabels)
    stored->fields.push_back(label.value(document));
  stored->bytes = std::make_shared<const std::string>(dump(document));
  stored->deleting = !is_empty(document, "metadata.deletionTimestamp");
  stored->written = std::chrono::steady_clock::now();
  return stored;
}

std::string store_key(const ResourceType &type, const Key &key) {
  return type.api_version() + "/" + type.plural + "/" + key.namespace_ + "/" + key.name;
}

std::optional<StoreKey> parse_store_key(std::string_view whole) {
  std::vector<std::string_view> parts; // name, namespace, plural
  for (int i = 0; i < 3; ++i) {
    const auto slash = whole.rfind('/');
    if (slash == std::string_view::npos)
      return std::nullopt;
    parts.push_back(whole.substr(slash + 1));
    whole = whole.substr(0, slash);
  }
  return StoreKey{
      std::string(whole), std::string(parts[2]), {std::string(parts[1]), std::string(parts[0])}};
}

State::State(const std::vector<ResourceType> &types, const Registry::Options &options)
    : types_(types), options_(options), hub_(options) {}

Result<> State::load(StoreSnapshot snapshot) {
  const std::unique_lock lock(mutex_);
  visible_ = snapshot.next_rev - 1;
  std::map<std::string, std::uint64_t, std::less<>> last_change; // by apiVersion/plural
  for (const auto &record : snapshot.log)
    if (const auto key = parse_store_key(record.key))
      last_change[key->apiVersion + "/" + key->plural] = record.rev;
  std::map<std::string, const ResourceType *, std::less<>> by_name;
  for (const auto &type : types_) {
    const auto name = type.api_version() + "/" + type.plural;
    // A watch from before the restart may go on if nothing of its kind has changed since. Of kinds
    // that are not logged we do not know.
    const auto changed = last_change.find(name);
    const auto complete_after = type.durability != Durability::durable ? visible_
                                : changed == last_change.end()         ? snapshot.trimmed
                                                                       : changed->second;
    shelves_.emplace(&type, Shelf(type, options_.history, complete_after));
    by_name[name] = &type;
  }
  for (const auto &row : snapshot.rows) {
    const auto key = parse_store_key(row.key);
    const auto type = key ? by_name.find(key->apiVersion + "/" + key->plural) : by_name.end();
    if (type == by_name.end())
      continue; // a kind that this version does not serve stays on disk
    const auto document = json::parse(row.value, nullptr, false);
    if (!document.is_object())
      return fail(Errc::invalid_input, "the stored object \"" + row.key + "\" is not JSON");
    shelves_.at(type->second).load(make_stored(*type->second, document, row.rev));
  }
  return {};
}

StoredPtr State::find(const ResourceType &type, const Key &key) const {
  const std::shared_lock lock(mutex_);
  return shelf(type).find(key);
}

std::vector<StoredPtr> State::all(const ResourceType &type) const {
  std::vector<StoredPtr> objects;
  const std::shared_lock lock(mutex_);
  for (const auto &[key, object] : shelf(type).objects())
    objects.push_back(object);
  return objects;
}

std::uint64_t State::visible() const {
  const std::shared_lock lock(mutex_);
  return visible_;
}

bool State::wait_for(std::uint64_t version, std::chrono::milliseconds patience) const {
  std::shared_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return visible_ >= version; });
}

namespace {

/// What is wrong with the combination of parameters, if anything.
std::optional<ApiError> refused(const ListOptions &options) {
  const auto &match = options.resourceVersionMatch;
  if (!options.continueToken.empty() && !options.resourceVersion.empty())
    return bad_request("specifying resource version is not allowed when using continue");
  FieldErrors errors;
  const auto add = [&](std::string message, std::string_view reason = "FieldValueForbidden") {
    errors.push_back({std::string(reason), "resourceVersionMatch", std::move(message)});
  };
  if (!match.empty() && !options.continueToken.empty())
    add("Forbidden: resourceVersionMatch is forbidden when continue is provided");
  else if (!match.empty() && options.resourceVersion.empty())
    add("Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
  else if (!match.empty() && match != "Exact" && match != "NotOlderThan")
    add("Unsupported value: \"" + match + "\": supported values: \"Exact\", \"NotOlderThan\"",
        "FieldValueNotSupported");
  else if (match == "Exact" && options.resourceVersion == "0")
    add("Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  if (errors.empty())
    return std::nullopt;
  ResourceType type;
  type.group = "meta.k8s.io";
  type.kind = "ListOptions";
  return invalid(type, "", std::move(errors));
}

std::optional<ApiError> refused(const WatchOptions &options) {
  FieldErrors errors;
  const auto add = [&errors](const char *field, std::string message) {
    errors.push_back({"FieldValueForbidden", field, "Forbidden: " + std::move(message)});
  };
  const bool asks = options.sendInitialEvents.has_value();
  if (asks && options.resourceVersionMatch != "NotOlderThan")
    add("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to "
                                "NotOlderThan");
  if (!asks && !options.resourceVersionMatch.empty())
    add("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless "
                                "sendInitialEvents is provided");
  if (errors.empty())
    return std::nullopt;
  ResourceType type;
  type.group = "meta.k8s.io";
  type.kind = "ListOptions";
  return invalid(type, "", std::move(errors));
}

} // namespace

ApiResult<ListResult> State::list(const ResourceType &type, const ListOptions &options) const {
  if (auto error = refused(options))
    return refuse(std::move(*error));
  const auto version = parse_resource_version(options.resourceVersion);
  if (!version)
    return refuse(version.error());
  if (!wait_for(*version, options_.futureVersionWait))
    return refuse(too_large_resource_version(*version, visible()));
  const std::shared_lock lock(mutex_);
  return shelf(type).list(options, visible_);
}

ApiResult<> Registry::check_watch(const WatchOptions &options) {
  if (auto error = refused(options))
    return refuse(std::move(*error));
  const auto version = parse_resource_version(options.resourceVersion);
  if (!version)
    return refuse(version.error());
  return {};
}

ApiResult<WatchHub::Subscription> State::subscribe(const ResourceType &type,
                                                   const WatchOptions &options) const {
  WatchHub::Subscription subscription;
  subscription.type = &type;
  subscription.selection = options.selection;
  subscription.bookmarks = options.bookmarks;
  subscription.timeout = options.timeout;
  const auto version = parse_resource_version(options.resourceVersion);
  if (!version)
    return refuse(version.error());
  const bool initial = options.sendInitialEvents.value_or(*version == 0);
  const auto &from = shelf(type);
  if (initial) {
    for (const auto &[key, object] : from.objects())
      if (options.selection.matches(type, *object))
        subscription.initial.push_back(object);
    subscription.mark_initial_end = options.sendInitialEvents.has_value() && options.bookmarks;
    subscription.after = visible_;
    return subscription;
  }
  const auto since = *version == 0 ? visible_ : *version;
  subscription.after = std::max(since, visible_);
  if (since < from.complete_after())
    return refuse(expired("too old resource version: " + std::to_string(*version) + " (" +
                          std::to_string(from.complete_after()) + ")"));
  subscription.backlog = from.after(since);
  return subscription;
}

ApiResult<Registry::WatchId> State::watch(const ResourceType &type, const WatchOptions &options,
                                          Registry::Sink sink) {
  if (auto possible = Registry::check_watch(options); !possible)
    return refuse(possible.error());
  const auto version = parse_resource_version(options.resourceVersion);
  if (options.sendInitialEvents.value_or(false) && !wait_for(*version, options_.futureVersionWait))
    return refuse(too_large_resource_version(*version, visible()));
  Registry::WatchId id = 0;
  {
    const std::shared_lock lock(mutex_);
    auto subscription = subscribe(type, options);
    if (!subscription) {
      WatchEvent event;
      event.kind = WatchEvent::Kind::error;
      event.type = &type;
      event.error = subscription.error();
      sink(event);
      return id;
    }
    id = hub_.add(std::move(*subscription), std::move(sink));
  }
  hub_.start(id);
  return id;
}

void State::publish(Revision revision) {
  {
    const std::unique_lock lock(mutex_);
    visible_ = revision.version();
    shelves_.at(revision.type).apply(revision);
    hub_.publish(std::move(revision)); // inside, so that `watch` sees both or neither
  }
  changed_.notify_all();
}

void State::skip(std::uint64_t version) {
  {
    const std::unique_lock lock(mutex_);
    visible_ = std::max(visible_, version);
  }
  changed_.notify_all();
}

} // namespace sluice::controlplane
