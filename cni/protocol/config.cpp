#include "cni/protocol/config.hpp"

#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

Outcome<Version> version_of(const ObjectReader &top) {
  std::string text;
  SLUICE_PASS(top.read("cniVersion", text));
  if (text.empty())
    return kOldestVersion;
  const auto version = parse_version(text);
  if (!version)
    return fail(Code::decode, "cniVersion \"" + text + "\" is no version",
                "expected is one of " + supported_versions_text());
  if (!is_supported(*version))
    return fail(Code::incompatible_version, "cniVersion \"" + text + "\" is not supported",
                "the configuration asks for " + text + ", supported are " +
                    supported_versions_text());
  return *version;
}

Outcome<std::string> name_of_network(const ObjectReader &top) {
  std::string name;
  SLUICE_PASS(top.read("name", name));
  if (name.empty())
    return fail(Code::invalid_config, "name is missing: every network has one");
  if (!is_valid_id(name))
    return fail(top.wrong("name", "a letter or digit, then letters, digits, '_', '.' and '-'"));
  return name;
}

Outcome<std::optional<AddResult>> previous_of(const ObjectReader &top, const Version &version) {
  const Json *json = find_member(top.json(), "prevResult");
  if (!json)
    return std::optional<AddResult>{};
  SLUICE_ASSIGN(auto previous, parse_result(*json, version), "prevResult");
  return std::optional<AddResult>(std::move(previous));
}

Outcome<std::optional<std::set<Attachment>>> valid_attachments_of(const ObjectReader &top) {
  std::optional<std::set<Attachment>> valid;
  // The second name is a misspelling that the runtime library sends too.
  for (const auto *key : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
    if (!top.mentions(key))
      continue;
    if (!valid)
      valid.emplace();
    SLUICE_TAKE(const auto list, top.objects(key));
    for (const auto &item : list) {
      Attachment attachment;
      SLUICE_PASS(item.read("containerID", attachment.container_id));
      SLUICE_PASS(item.read("ifname", attachment.ifname));
      valid->insert(std::move(attachment));
    }
  }
  return valid;
}

/// What a wrong value means for DEL: as if the key were not there.
template <class T> Outcome<> take(Outcome<T> outcome, T &into, Strictness strictness) {
  if (outcome)
    into = std::move(*outcome);
  else if (strictness == Strictness::strict)
    return fail(std::move(outcome.error()));
  return {};
}

Outcome<std::string> ipam_type_of(const ObjectReader &top) {
  std::string type;
  SLUICE_TAKE(const auto ipam, top.object("ipam"));
  if (ipam)
    SLUICE_PASS(ipam->read("type", type));
  return type;
}

} // namespace

Version read_version(std::string_view text) noexcept {
  const auto document = JsonDocument::parse(text);
  if (!document)
    return kOldestVersion;
  const auto version = version_of(ObjectReader(document->root(), ""));
  return version ? *version : kOldestVersion;
}

Outcome<NetworkConfig> parse_config(std::string text, Strictness strictness) {
  NetworkConfig config;
  SLUICE_ASSIGN(config.document, JsonDocument::parse(text), "read the configuration from stdin");
  config.text = std::move(text);
  if (!config.document.root().is_object())
    return fail(Code::decode, "the configuration on stdin is no JSON object");
  const auto top = top_of(config);
  SLUICE_TAKE(config.version, version_of(top));
  SLUICE_TAKE(config.name, name_of_network(top));
  SLUICE_PASS(top.read("type", config.type));
  SLUICE_PASS(take(ipam_type_of(top), config.ipam_type, strictness));
  SLUICE_PASS(take(parse_dns(top), config.dns, strictness));
  SLUICE_PASS(take(previous_of(top, config.version), config.previous, strictness));
  SLUICE_PASS(take(valid_attachments_of(top), config.valid_attachments, strictness));
  return config;
}

ObjectReader top_of(const NetworkConfig &config) { return {config.document.root(), ""}; }

} // namespace sluice::cni
