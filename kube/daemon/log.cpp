#include "kube/daemon/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace sluice::kube::daemon {
namespace {

spdlog::logger &logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("sluice",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
  case LogLevel::debug:
    return spdlog::level::debug;
  case LogLevel::info:
    return spdlog::level::info;
  case LogLevel::warning:
    return spdlog::level::warn;
  case LogLevel::error:
    return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  });
}

void append_quoted(std::string &line, std::string_view value) {
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\')
      (line += '\\') += c;
    else if (c == '\n')
      line += "\\n";
    else
      line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  line += '"';
}

} // namespace

std::string log_line(std::string_view message, LogFields fields) {
  std::string line(message);
  for (const LogField &field : fields) {
    line.append(" ").append(field.key).append("=");
    if (is_plain(field.value))
      line += field.value;
    else
      append_quoted(line, field.value);
  }
  return line;
}

void log(LogLevel level, std::string_view message, LogFields fields) {
  if (logger().should_log(to_spdlog(level)))
    logger().log(to_spdlog(level), log_line(message, fields));
}

void set_log_level(LogLevel level) { logger().set_level(to_spdlog(level)); }

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug")
    return LogLevel::debug;
  if (text == "info")
    return LogLevel::info;
  if (text == "warning" || text == "warn")
    return LogLevel::warning;
  if (text == "error")
    return LogLevel::error;
  return fail(Errc::invalid_input,
              "log level \"" + std::string(text) + "\": must be debug, info, warning or error");
}

} // namespace sluice::kube::daemon
