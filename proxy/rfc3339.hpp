#pragma once
// Times as the Kubernetes API writes them. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::proxy {

/// "2026-11-21T08:10:00.123456Z", or with an offset; nothing if the text is no RFC 3339 time.
std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text);
/// In UTC, with microseconds.
std::string rfc3339(std::chrono::system_clock::time_point time);

} // namespace sluice::proxy
