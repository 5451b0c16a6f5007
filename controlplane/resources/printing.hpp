#pragma once
// What the cells of `kubectl get` are made from. Pure.

#include "controlplane/resources/resource.hpp"

namespace sluice::controlplane {

using SystemTime = std::chrono::system_clock::time_point;

/// RFC 3339, with or without fractions of a second, any offset.
std::optional<SystemTime> parse_time(std::string_view text);
/// "2026-01-02T03:04:05Z"; what metadata.creationTimestamp holds.
std::string format_time(SystemTime time);
/// "2026-01-02T03:04:05.000006Z"; what Leases hold.
std::string format_micro_time(SystemTime time);

/// "5s", "3m20s", "4h", "2d3h", "1y20d": rounded as kubectl rounds ages.
std::string human_duration(std::chrono::seconds duration);
/// Time since the timestamp at `path`; "<unknown>" if there is none.
std::string age(const json &object, std::string_view path, SystemTime now);

/// `items` joined by commas, or `otherwise`; after `limit` items " + N more...".
std::string joined_or(const std::vector<std::string> &items, std::string_view otherwise,
                      std::size_t limit = SIZE_MAX);
/// "a=b,c=d" or "<none>"
std::string labels_text(const json &labels);
/// "a=b,c in (d,e),!f" or "<none>"
std::string selector_text(const json &selector);

Column name_column();
Column age_column();
/// A column that only -o wide shows.
Column wide(std::string name);

} // namespace sluice::controlplane
