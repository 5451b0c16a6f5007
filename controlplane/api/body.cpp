#include "controlplane/api/body.hpp"

#include "controlplane/api/media.hpp"
#include "controlplane/protobuf/decode.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

ApiResult<json> parse_json(const std::string &body) {
  try {
    return json::parse(body);
  } catch (const json::parse_error &error) {
    return refuse(bad_request("the object provided is unrecognized (must be of type JSON): " +
                              std::string(error.what())));
  }
}

ApiResult<json> parse_protobuf(const std::string &body) {
  auto document = decode_protobuf(body);
  if (document)
    return std::move(*document);
  if (document.error().code() == Errc::unsupported)
    return refuse(unsupported_media_type(document.error().what()));
  return refuse(bad_request(document.error().what()));
}

} // namespace

ApiResult<json> parse_body(const kube::http::Request &request) {
  const auto type = media_type_of(request.header("content-type"));
  const bool is_json = type.empty() || type == kJson;
  if (!is_json && type != kProtobuf)
    return refuse(unsupported_media_type("the body of the request was in an unknown format - "
                                         "accepted media types include: application/json, "
                                         "application/vnd.kubernetes.protobuf"));
  if (request.body.empty())
    return json(nullptr);
  if (is_json)
    return parse_json(request.body);
  return parse_protobuf(request.body);
}

ApiResult<> check_fields(const ResourceType &type, const json &object, const std::string &mode,
                         std::vector<std::string> &warnings) {
  if (!mode.empty() && mode != "Strict" && mode != "Warn" && mode != "Ignore")
    return refuse(bad_request("invalid fieldValidation \"" + mode +
                              "\": supported values: \"Ignore\", \"Strict\", \"Warn\""));
  if (mode == "Ignore" || !type.unknown_fields)
    return {};
  std::string all;
  for (const auto &path : type.unknown_fields(object)) {
    const auto sentence = "unknown field \"" + path + "\"";
    all += (all.empty() ? "" : ", ") + sentence;
    if (mode != "Strict")
      warnings.push_back(sentence);
  }
  if (mode != "Strict" || all.empty())
    return {};
  return refuse(bad_request(type.kind + " in version \"" + type.version +
                            "\" cannot be handled as a " + type.kind +
                            ": strict decoding error: " + all));
}

ApiResult<bool> is_dry_run(const kube::http::Request &request) {
  const auto &value = request.parameter("dryRun");
  if (value.empty())
    return false;
  if (value == "All")
    return true;
  ResourceType type;
  type.group = "meta.k8s.io";
  type.kind = "Options";
  return refuse(invalid(type, "",
                        {{"FieldValueNotSupported", "dryRun",
                          "Unsupported value: \"" + value + "\": supported values: \"All\""}}));
}

} // namespace sluice::controlplane
