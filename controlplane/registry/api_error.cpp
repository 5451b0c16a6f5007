#include "controlplane/registry/api_error.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

ApiError about(const ResourceType &type, std::string_view name, int code, std::string reason,
               std::string message) {
  ApiError error;
  error.code = code;
  error.reason = std::move(reason);
  error.message = std::move(message);
  error.name = name;
  error.group = type.group;
  error.kind = type.plural;
  return error;
}

ApiError plain(int code, std::string reason, std::string message) {
  ApiError error;
  error.code = code;
  error.reason = std::move(reason);
  error.message = std::move(message);
  return error;
}

std::string sentence(const FieldErrors &causes) {
  std::string text;
  for (const auto &cause : causes)
    text += (text.empty() ? "" : ", ") + cause.field + ": " + cause.message;
  return causes.size() > 1 ? "[" + text + "]" : text;
}

} // namespace

ApiError not_found(const ResourceType &type, std::string_view name) {
  return about(type, name, 404, "NotFound", type.qualified() + " " + quoted(name) + " not found");
}

ApiError already_exists(const ResourceType &type, std::string_view name) {
  return about(type, name, 409, "AlreadyExists",
               type.qualified() + " " + quoted(name) + " already exists");
}

ApiError conflict(const ResourceType &type, std::string_view name, std::string_view why) {
  return about(type, name, 409, "Conflict",
               "Operation cannot be fulfilled on " + type.qualified() + " " + quoted(name) + ": " +
                   std::string(why));
}

ApiError invalid(const ResourceType &type, std::string_view name, FieldErrors causes) {
  const std::string kind = type.group.empty() ? type.kind : type.kind + "." + type.group;
  auto error = about(type, name, 422, "Invalid",
                     kind + " " + quoted(name) + " is invalid: " + sentence(causes));
  error.kind = type.kind;
  error.causes = std::move(causes);
  return error;
}

ApiError bad_request(std::string message) { return plain(400, "BadRequest", std::move(message)); }

ApiError forbidden(const ResourceType &type, std::string_view name, std::string_view why) {
  return about(type, name, 403, "Forbidden",
               type.qualified() + (name.empty() ? "" : " " + quoted(name)) +
                   " is forbidden: " + std::string(why));
}

ApiError method_not_allowed() {
  return plain(405, "MethodNotAllowed",
               "the server does not allow this method on the requested resource");
}

ApiError expired(std::string message) { return plain(410, "Expired", std::move(message)); }

ApiError too_large_resource_version(std::uint64_t asked, std::uint64_t current) {
  auto error = plain(504, "Timeout",
                     "Timeout: Too large resource version: " + std::to_string(asked) +
                         ", current: " + std::to_string(current));
  error.causes.push_back({"ResourceVersionTooLarge", "", "Too large resource version"});
  error.retryAfterSeconds = 1;
  return error;
}

ApiError internal_error(std::string message) {
  return plain(500, "InternalError", "Internal error occurred: " + message);
}

ApiError unsupported_media_type(std::string message) {
  return plain(415, "UnsupportedMediaType", std::move(message));
}

ApiError not_acceptable(std::string message) {
  return plain(406, "NotAcceptable", std::move(message));
}

ApiError unauthorized() { return plain(401, "Unauthorized", "Unauthorized"); }

ApiError unavailable(std::string message) {
  auto error = plain(503, "ServiceUnavailable", std::move(message));
  error.retryAfterSeconds = 1;
  return error;
}

json to_json(const ApiError &error) {
  json details = json::object();
  const auto add = [&details](const char *name, const std::string &value) {
    if (!value.empty())
      details[name] = value;
  };
  add("name", error.name);
  add("group", error.group);
  add("kind", error.kind);
  add("uid", error.uid);
  for (const auto &cause : error.causes) {
    json entry = {{"reason", cause.reason}, {"message", cause.message}};
    if (!cause.field.empty())
      entry["field"] = cause.field;
    details["causes"].push_back(std::move(entry));
  }
  if (error.retryAfterSeconds > 0)
    details["retryAfterSeconds"] = error.retryAfterSeconds;
  json metadata = json::object();
  if (!error.continueToken.empty())
    metadata["continue"] = error.continueToken;
  json status = {{"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", metadata},
                 {"status", "Failure"}, {"message", error.message}, {"reason", error.reason},
                 {"code", error.code}};
  if (!details.empty())
    status["details"] = std::move(details);
  return status;
}

std::string to_text(const ApiError &error) {
  return to_json(error).dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace sluice::controlplane
