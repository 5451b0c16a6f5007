#include "cni/protocol/version.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::cni {

std::string Version::str() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::optional<Version> parse_version(std::string_view text) {
  Version version;
  const std::array<std::uint16_t *, 3> parts = {&version.major, &version.minor, &version.patch};
  const char *at = text.data();
  const char *const end = at + text.size();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto parsed = std::from_chars(at, end, *parts[i]);
    if (parsed.ec != std::errc{})
      return std::nullopt;
    at = parsed.ptr;
    if (at == end)
      return version;
    if (*at++ != '.')
      return std::nullopt;
  }
  return std::nullopt;
}

bool is_supported(const Version &version) noexcept {
  return std::find(kSupportedVersions.begin(), kSupportedVersions.end(), version) !=
         kSupportedVersions.end();
}

std::string supported_versions_text(const Version &oldest) {
  std::string text;
  for (const auto &version : kSupportedVersions)
    if (version >= oldest)
      text += (text.empty() ? "" : ", ") + version.str();
  return text;
}

std::string version_answer(const Version &asked, const Version &oldest) {
  std::string text = "{\"cniVersion\":\"" + asked.str() + "\",\"supportedVersions\":[";
  for (const auto &version : kSupportedVersions)
    if (version >= oldest)
      text += (version == oldest ? "\"" : ",\"") + version.str() + "\"";
  return text + "]}";
}

} // namespace sluice::cni
