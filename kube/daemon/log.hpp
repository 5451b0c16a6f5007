#pragma once
// The one way to log: a message and fields, one line to stderr.
//   2026-11-21T08:10:00.123Z info  routes programmed node=node-1 count=3 took="1.2 ms"
// Libraries return errors; the one who drops or retries an error logs it, once. Thread-safe.

#include "net/result.hpp"

#include <chrono>
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sluice::kube::daemon {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char *v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string &v) : key(k), value(v) {}
  LogField(std::string_view k, const Error &error) : key(k), value(error.what()) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <std::integral Number>
  LogField(std::string_view k, Number v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, double v) : key(k), value(std::to_string(v)) {}

  std::string_view key;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

void log(LogLevel level, std::string_view message, LogFields fields = {});
inline void log_debug(std::string_view message, LogFields fields = {}) {
  log(LogLevel::debug, message, fields);
}
inline void log_info(std::string_view message, LogFields fields = {}) {
  log(LogLevel::info, message, fields);
}
inline void log_warning(std::string_view message, LogFields fields = {}) {
  log(LogLevel::warning, message, fields);
}
inline void log_error(std::string_view message, LogFields fields = {}) {
  log(LogLevel::error, message, fields);
}

/// What is below `level` is dropped; `info` at the start.
void set_log_level(LogLevel level);
/// "debug", "info", "warning" (or "warn"), "error".
Result<LogLevel> parse_log_level(std::string_view text);

/// `json`: one object per line: {"ts": seconds, "level": "info", "msg": "...", "node": "node-1"}.
enum class LogFormat : std::uint8_t { text, json };
/// `text` at the start. Call while nobody else logs, or accept a line in either format.
void set_log_format(LogFormat format);

/// A line in JSON; `time` since 1970. Pure.
std::string log_json(LogLevel level, std::chrono::microseconds time, std::string_view message,
                     LogFields fields);

/// The line without time and level; values that hold blanks, quotes or control characters are
/// quoted. Pure.
std::string log_line(std::string_view message, LogFields fields);

} // namespace sluice::kube::daemon
