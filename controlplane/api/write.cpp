#include "controlplane/api/body.hpp"
#include "controlplane/api/call.hpp"
#include "controlplane/api/media.hpp"
#include "controlplane/api/table.hpp"
#include "controlplane/auth/authorizer.hpp"
#include "controlplane/patch/json_patch.hpp"
#include "controlplane/patch/strategic_merge.hpp"
#include "controlplane/resources/access.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

/// The object in the form that Accept asks for; a write is done even if that is none we know.
Answer object_answer(const Call &call, int status, const ResourceType &type,
                     const StoredPtr &object) {
  const auto form = negotiate_object(call.request.header("accept")).value_or(ObjectForm{});
  return bytes_answer(status, object_bytes(type, object, form, call.parameter("includeObject"),
                                           std::chrono::system_clock::now()));
}

/// The namespace in the body must be absent or that of the URL.
ApiResult<> place_in_namespace(const Call &call, json &object) {
  json *metadata = object.is_object() ? object_at(object, "metadata") : nullptr;
  if (!metadata || !call.route.type->namespaced)
    return {}; // the registry says what is wrong with it
  const auto inside = text(*metadata, "namespace");
  if (!inside.empty() && inside != call.route.namespace_)
    return refuse(bad_request("the namespace of the provided object does not match the namespace "
                              "sent on the request"));
  (*metadata)["namespace"] = call.route.namespace_;
  return {};
}

/// Status of the pods of other nodes is none of a node's business.
ApiResult<> check_node(const Call &call) {
  if (call.route.type->kind != "Pod" || node_of(call.user).empty())
    return {};
  const auto pod = call.services.registry.get(*call.route.type, call.key());
  if (pod && is_foreign_pod(call.user, **pod))
    return refuse(
        forbidden(*call.route.type, call.route.name,
                  "node \"" + node_of(call.user) + "\" can only write pods that are bound to it"));
  return {};
}

struct Prepared {
  json object;
  std::vector<std::string> warnings;
  WriteOptions options;
};

/// What create and update have in common.
ApiResult<Prepared> prepare(const Call &call) {
  Prepared prepared;
  const auto dry_run = is_dry_run(call.request);
  if (!dry_run)
    return refuse(dry_run.error());
  prepared.options = {*dry_run, call.route.subresource};
  auto body = parse_body(call.request);
  if (!body)
    return refuse(body.error());
  prepared.object = std::move(*body);
  const auto &type = *call.route.type;
  if (auto known =
          check_fields(type, prepared.object, call.parameter("fieldValidation"), prepared.warnings);
      !known)
    return refuse(known.error());
  if (auto placed = place_in_namespace(call, prepared.object); !placed)
    return refuse(placed.error());
  if (auto own = check_node(call); !own)
    return refuse(own.error());
  return prepared;
}

/// A kind that is another spelling of a stored one is stored as that.
const ResourceType &stored_type(const ResourceType &type) {
  if (type.storedApiVersion.empty())
    return type;
  const auto *stored = find_by_kind(type.storedApiVersion, type.kind);
  return stored ? *stored : type;
}

} // namespace

Answer answer_create(const Call &call) {
  const auto &type = *call.route.type;
  if (type.namespaced && call.route.namespace_.empty())
    return error_answer(method_not_allowed());
  auto prepared = prepare(call);
  if (!prepared)
    return error_answer(prepared.error());
  const auto &stored = stored_type(type);
  if (&stored != &type && type.to_stored && prepared->object.is_object()) {
    type.to_stored(prepared->object);
    prepared->object["apiVersion"] = stored.api_version();
  }
  const auto object =
      call.services.registry.create(stored, std::move(prepared->object), prepared->options);
  if (!object)
    return error_answer(object.error());
  auto answer = object_answer(call, 201, stored, *object);
  if (&stored != &type && type.from_stored) {
    json document = (*object)->document();
    type.from_stored(document);
    answer = json_answer(201, document);
  }
  add_warnings(answer, prepared->warnings);
  return answer;
}

Answer answer_update(const Call &call) {
  const auto &type = *call.route.type;
  auto prepared = prepare(call);
  if (!prepared)
    return error_answer(prepared.error());
  auto &object = prepared->object;
  const auto name = text(object, "metadata.name");
  if (object.is_object() && name != call.route.name)
    return error_answer(bad_request("the name of the object (" + name +
                                    ") does not match the name on the URL (" + call.route.name +
                                    ")"));
  const auto written = call.services.registry.update(type, std::move(object), prepared->options);
  if (!written)
    return error_answer(written.error());
  auto answer = object_answer(call, 200, type, *written);
  add_warnings(answer, prepared->warnings);
  return answer;
}

// ---- patch -----------------------------------------------------------------------------------

namespace {

constexpr std::string_view kJsonPatch = "application/json-patch+json";
constexpr std::string_view kMergePatch = "application/merge-patch+json";
constexpr std::string_view kStrategicPatch = "application/strategic-merge-patch+json";

ApiError patch_error(const ResourceType &type, const std::string &name, const Error &error) {
  if (error.code() == Errc::invalid_input)
    return bad_request(error.what());
  return invalid(type, name, {{"FieldValueInvalid", "patch", error.what()}});
}

ApiResult<json> patched(const ResourceType &type, std::string_view media, const std::string &name,
                        json document, const json &patch) {
  if (media == kMergePatch)
    return merge_patch(std::move(document), patch);
  auto result = media == kJsonPatch
                    ? json_patch(std::move(document), patch)
                    : strategic_merge_patch(type.list_merge, std::move(document), patch);
  if (!result)
    return refuse(patch_error(type, name, result.error()));
  return std::move(*result);
}

/// The media type of the patch, if it is one that this kind takes.
ApiResult<std::string> patch_media(const Call &call) {
  auto media = media_type_of(call.request.header("content-type"));
  const bool strategic = call.route.type->strategicPatch;
  if (media == kJsonPatch || media == kMergePatch || (media == kStrategicPatch && strategic))
    return media;
  std::string accepted = std::string(kJsonPatch) + ", " + std::string(kMergePatch);
  if (strategic)
    accepted += ", " + std::string(kStrategicPatch);
  return refuse(unsupported_media_type("the body of the request was in an unknown format - "
                                       "accepted media types include: " +
                                       accepted));
}

ApiResult<json> parse_patch(const Call &call) {
  auto patch = json::parse(call.request.body, nullptr, false);
  if (patch.is_discarded())
    return refuse(bad_request("the patch is not JSON"));
  return patch;
}

} // namespace

Answer answer_patch(const Call &call) {
  const auto &type = *call.route.type;
  const auto media = patch_media(call);
  if (!media)
    return error_answer(media.error());
  const auto dry_run = is_dry_run(call.request);
  if (!dry_run)
    return error_answer(dry_run.error());
  const auto patch = parse_patch(call);
  if (!patch)
    return error_answer(patch.error());
  if (auto own = check_node(call); !own)
    return error_answer(own.error());

  std::vector<std::string> warnings;
  const auto change = [&](json &document) -> ApiResult<> {
    auto result = patched(type, *media, call.route.name, std::move(document), *patch);
    if (!result)
      return refuse(result.error());
    document = std::move(*result);
    warnings.clear();
    return check_fields(type, document, call.parameter("fieldValidation"), warnings);
  };
  const auto object =
      call.services.registry.mutate(type, call.key(), change, {*dry_run, call.route.subresource});
  if (!object)
    return error_answer(object.error());
  auto answer = object_answer(call, 200, type, *object);
  add_warnings(answer, warnings);
  return answer;
}

// ---- delete ----------------------------------------------------------------------------------

namespace {

/// DeleteOptions from the body and, over it, from the query.
ApiResult<DeleteOptions> delete_options(const Call &call) {
  const auto body = parse_body(call.request);
  if (!body)
    return refuse(body.error());
  DeleteOptions options;
  if (at(*body, "gracePeriodSeconds").is_number_integer())
    options.gracePeriodSeconds = number(*body, "gracePeriodSeconds");
  options.propagationPolicy = text(*body, "propagationPolicy");
  options.uid = text(*body, "preconditions.uid");
  options.resourceVersion = text(*body, "preconditions.resourceVersion");
  const auto dry = texts(*body, "dryRun");
  options.dry_run = !dry.empty() && dry.front() == "All";
  const auto &grace = call.parameter("gracePeriodSeconds");
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(grace.data(), grace.data() + grace.size(), seconds);
  if (!grace.empty() && (error != std::errc() || end != grace.data() + grace.size()))
    return refuse(bad_request("invalid gracePeriodSeconds \"" + grace + "\": it must be a number"));
  if (!grace.empty())
    options.gracePeriodSeconds = seconds;
  if (!call.parameter("propagationPolicy").empty())
    options.propagationPolicy = call.parameter("propagationPolicy");
  const auto dry_run = is_dry_run(call.request);
  if (!dry_run)
    return refuse(dry_run.error());
  options.dry_run = options.dry_run || *dry_run;
  return options;
}

json details_of(const ResourceType &type, const Stored &object) {
  json details = {{"name", object.key.name}, {"kind", type.plural}, {"uid", object.uid}};
  if (!type.group.empty())
    details["group"] = type.group;
  return details;
}

} // namespace

Answer answer_delete(const Call &call) {
  const auto &type = *call.route.type;
  const auto options = delete_options(call);
  if (!options)
    return error_answer(options.error());
  if (auto own = check_node(call); !own)
    return error_answer(own.error());
  const auto result = call.services.registry.remove(type, call.key(), *options);
  if (!result)
    return error_answer(result.error());
  // Kinds that may linger always answer with the object.
  if (!result->removed || type.default_grace_seconds)
    return object_answer(call, 200, type, result->object);
  return success_answer(200, details_of(type, *result->object));
}

Answer answer_delete_collection(const Call &call) {
  const auto &type = *call.route.type;
  const auto options = delete_options(call);
  if (!options)
    return error_answer(options.error());
  auto selection = selection_of(call);
  if (!selection)
    return error_answer(selection.error());
  auto list = call.services.registry.list(type, {.selection = std::move(*selection)});
  if (!list)
    return error_answer(list.error());
  for (const auto &object : list->items) {
    const auto result = call.services.registry.remove(type, object->key, *options);
    if (!result && result.error().reason != "NotFound")
      return error_answer(result.error());
  }
  return text_answer(200, list_text(type, *list, {}, "", std::chrono::system_clock::now()),
                     "application/json");
}

} // namespace sluice::controlplane
