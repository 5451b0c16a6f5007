#include "kube/daemon/log.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace sluice::kube::daemon {
namespace {

constexpr const char *kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";

std::atomic<LogFormat> &format() {
  static std::atomic<LogFormat> instance{LogFormat::text};
  return instance;
}

spdlog::logger &logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("sluice",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kTextPattern, spdlog::pattern_time_type::utc);
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

const char *name_of(LogLevel level) {
  switch (level) {
  case LogLevel::debug:
    return "debug";
  case LogLevel::info:
    return "info";
  case LogLevel::warning:
    return "warning";
  case LogLevel::error:
    break;
  }
  return "error";
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

std::string log_json(LogLevel level, std::chrono::microseconds time, std::string_view message,
                     LogFields fields) {
  nlohmann::ordered_json line = {{"ts", std::chrono::duration<double>(time).count()},
                                 {"level", name_of(level)},
                                 {"msg", message}};
  for (const LogField &field : fields)
    line[std::string(field.key)] = field.value;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void log(LogLevel level, std::string_view message, LogFields fields) {
  if (!logger().should_log(to_spdlog(level)))
    return;
  if (format() == LogFormat::text)
    return logger().log(to_spdlog(level), log_line(message, fields));
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  logger().log(to_spdlog(level), log_json(level, now, message, fields));
}

void set_log_format(LogFormat wanted) {
  format() = wanted;
  logger().set_pattern(wanted == LogFormat::text ? kTextPattern : "%v",
                       spdlog::pattern_time_type::utc);
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
