#include "proxy/rfc3339.hpp"

#include <cstdio>

namespace sluice::proxy {
namespace {

int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9')
      return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

} // namespace

std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text) {
  std::tm parts{};
  parts.tm_year = digits(text, 0, 4) - 1900;
  parts.tm_mon = digits(text, 5, 2) - 1;
  parts.tm_mday = digits(text, 8, 2);
  parts.tm_hour = digits(text, 11, 2);
  parts.tm_min = digits(text, 14, 2);
  parts.tm_sec = digits(text, 17, 2);
  if (text.size() < 20 || parts.tm_year < 0 || parts.tm_mon < 0 || parts.tm_mday < 1 ||
      parts.tm_hour < 0 || parts.tm_min < 0 || parts.tm_sec < 0)
    return std::nullopt;
  auto time = std::chrono::system_clock::from_time_t(::timegm(&parts));
  std::size_t at = 19;
  if (text[at] == '.') {
    double scale = 0.1, fraction = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      fraction += scale * (text[at] - '0');
    time += std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::duration<double>(fraction));
  }
  if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z'))
    return time;
  const int hours = digits(text, at + 1, 2), minutes = digits(text, at + 4, 2);
  if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') || hours < 0 || minutes < 0)
    return std::nullopt;
  const auto offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return text[at] == '+' ? time - offset : time + offset;
}

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time - whole).count();
  const auto seconds = std::chrono::system_clock::to_time_t(whole);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06lldZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<long long>(micros));
  return text;
}

} // namespace sluice::proxy
