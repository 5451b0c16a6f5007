#include "controlplane/api/media.hpp"

#include <algorithm>
#include <cctype>

namespace sluice::controlplane {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const auto end = std::min(text.find(separator, start), text.size());
    parts.push_back(trimmed(text.substr(start, end - start)));
    start = end + 1;
  }
  return parts;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool takes_json(const MediaType &type) {
  return type.type == "application/json" || type.type == "*/*" || type.type == "application/*";
}

} // namespace

std::string MediaType::parameter(const std::string &name) const {
  const auto entry = parameters.find(name);
  return entry == parameters.end() ? "" : entry->second;
}

std::vector<MediaType> parse_accept(std::string_view header) {
  std::vector<MediaType> types;
  for (const auto item : split(header, ',')) {
    if (item.empty())
      continue;
    MediaType type;
    for (const auto part : split(item, ';')) {
      const auto equal = part.find('=');
      if (type.type.empty())
        type.type = lower(part);
      else if (equal != std::string_view::npos)
        type.parameters[lower(trimmed(part.substr(0, equal)))] = trimmed(part.substr(equal + 1));
    }
    const auto quality = type.parameter("q");
    if (quality != "0" && quality != "0.0")
      types.push_back(std::move(type));
  }
  return types;
}

std::string media_type_of(std::string_view header) { return lower(split(header, ';').front()); }

std::optional<ObjectForm> negotiate_object(std::string_view accept) {
  if (trimmed(accept).empty())
    return ObjectForm{};
  for (const auto &type : parse_accept(accept)) {
    if (!takes_json(type))
      continue;
    const auto as = type.parameter("as");
    const auto version = type.parameter("v");
    if (as.empty())
      return ObjectForm{};
    if (type.parameter("g") != "meta.k8s.io" || (version != "v1" && version != "v1beta1"))
      continue;
    if (as == "Table")
      return ObjectForm{ObjectForm::Kind::table, version};
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList")
      return ObjectForm{ObjectForm::Kind::metadata, version};
  }
  return std::nullopt;
}

std::optional<std::string> negotiate_discovery(std::string_view accept) {
  if (trimmed(accept).empty())
    return "";
  for (const auto &type : parse_accept(accept)) {
    if (!takes_json(type))
      continue;
    if (type.parameter("as").empty())
      return "";
    const auto version = type.parameter("v");
    if (type.parameter("as") == "APIGroupDiscoveryList" &&
        type.parameter("g") == "apidiscovery.k8s.io" && (version == "v2" || version == "v2beta1"))
      return version;
  }
  return std::nullopt;
}

} // namespace sluice::controlplane
