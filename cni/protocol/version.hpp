#pragma once
// Versions of the CNI protocol.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::cni {

struct Version {
  std::uint16_t major = 0, minor = 0, patch = 0;
  friend constexpr auto operator<=>(const Version &, const Version &) = default;
  std::string str() const;
};

inline constexpr std::array<Version, 7> kSupportedVersions = {
    {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 3, 1}, {0, 4, 0}, {1, 0, 0}, {1, 1, 0}}};
inline constexpr Version kLatestVersion = kSupportedVersions.back();
/// What a configuration without cniVersion means.
inline constexpr Version kOldestVersion = kSupportedVersions.front();

/// One to three decimal numbers between dots ("1.0" is 1.0.0); nullopt for anything else.
std::optional<Version> parse_version(std::string_view text);
bool is_supported(const Version &version) noexcept;
/// "0.1.0, 0.2.0, ..., 1.1.0", from `oldest` on.
std::string supported_versions_text(const Version &oldest = kOldestVersion);
/// The answer to VERSION, in JSON; `asked` is the version of the request (CNI SPEC 1.1 §2 VERSION).
std::string version_answer(const Version &asked, const Version &oldest = kOldestVersion);

} // namespace sluice::cni
