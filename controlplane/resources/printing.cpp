#include "controlplane/resources/printing.hpp"

#include "controlplane/resources/access.hpp"

#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

std::optional<int> digits(std::string_view text, std::size_t from, std::size_t count) {
  int value = 0;
  if (from + count > text.size())
    return std::nullopt;
  const auto *begin = text.data() + from;
  const auto [end, error] = std::from_chars(begin, begin + count, value);
  if (error != std::errc() || end != begin + count || value < 0)
    return std::nullopt;
  return value;
}

/// "Z" or "+01:00"
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z")
    return std::chrono::minutes(0);
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
    return std::nullopt;
  const auto hours = digits(text, 1, 2);
  const auto minutes = digits(text, 4, 2);
  if (!hours || !minutes)
    return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return text[0] == '-' ? -offset : offset;
}

std::optional<std::chrono::microseconds> parse_fraction(std::string_view text) {
  std::int64_t micros = 0;
  std::int64_t unit = 100000;
  for (const char c : text) {
    if (c < '0' || c > '9')
      return std::nullopt;
    micros += (c - '0') * unit;
    unit /= 10;
  }
  return std::chrono::microseconds(micros);
}

std::tm broken_down(SystemTime time) {
  const auto seconds = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::seconds>(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

std::string formatted(const std::tm &parts, const char *format) {
  std::array<char, 64> buffer{};
  const auto size = std::strftime(buffer.data(), buffer.size(), format, &parts);
  return {buffer.data(), size};
}

/// "3m20s", "3m" if the second part is zero.
std::string two_parts(std::int64_t first, const char *first_unit, std::int64_t second,
                      const char *second_unit) {
  auto text = std::to_string(first) + first_unit;
  if (second != 0)
    text += std::to_string(second) + second_unit;
  return text;
}

std::string requirement_text(const json &requirement) {
  const auto key = text(requirement, "key");
  const auto op = text(requirement, "operator");
  if (op == "Exists")
    return key;
  if (op == "DoesNotExist")
    return "!" + key;
  return key + (op == "NotIn" ? " notin (" : " in (") +
         joined_or(texts(requirement, "values"), "") + ")";
}

} // namespace

std::optional<SystemTime> parse_time(std::string_view text) {
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      text[13] != ':' || text[16] != ':')
    return std::nullopt;
  text.remove_prefix(19);
  std::chrono::microseconds fraction(0);
  if (!text.empty() && text.front() == '.') {
    const auto end = std::min(text.find_first_not_of("0123456789", 1), text.size());
    fraction = parse_fraction(text.substr(1, end - 1)).value_or(fraction);
    text.remove_prefix(end);
  }
  const auto offset = parse_offset(text);
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!offset || !date.ok() || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + fraction - *offset;
}

std::string format_time(SystemTime time) {
  return formatted(broken_down(time), "%Y-%m-%dT%H:%M:%SZ");
}

std::string format_micro_time(SystemTime time) {
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count() %
      1000000;
  auto fraction = std::to_string(micros);
  fraction.insert(0, 6 - fraction.size(), '0');
  return formatted(broken_down(time), "%Y-%m-%dT%H:%M:%S") + "." + fraction + "Z";
}

std::string human_duration(std::chrono::seconds duration) {
  const auto seconds = duration.count();
  const auto minutes = seconds / 60, hours = seconds / 3600, days = hours / 24;
  if (seconds < -1)
    return "<invalid>";
  if (seconds < 0)
    return "0s";
  if (seconds < 120)
    return std::to_string(seconds) + "s";
  if (minutes < 10)
    return two_parts(minutes, "m", seconds % 60, "s");
  if (minutes < 180)
    return std::to_string(minutes) + "m";
  if (hours < 8)
    return two_parts(hours, "h", minutes % 60, "m");
  if (hours < 48)
    return std::to_string(hours) + "h";
  if (hours < 192)
    return two_parts(days, "d", hours % 24, "h");
  if (days < 365 * 2)
    return std::to_string(days) + "d";
  if (days < 365 * 8)
    return two_parts(days / 365, "y", days % 365, "d");
  return std::to_string(days / 365) + "y";
}

std::string age(const json &object, std::string_view path, SystemTime now) {
  const auto since = parse_time(text(object, path));
  return since ? human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *since))
               : "<unknown>";
}

std::string joined_or(const std::vector<std::string> &items, std::string_view otherwise,
                      std::size_t limit) {
  std::string result;
  for (std::size_t i = 0; i < std::min(items.size(), limit); ++i)
    result += (i == 0 ? "" : ",") + items[i];
  if (items.size() > limit)
    result += " + " + std::to_string(items.size() - limit) + " more...";
  return result.empty() ? std::string(otherwise) : result;
}

std::string labels_text(const json &labels) {
  std::vector<std::string> items;
  for (const auto &[key, value] : map(labels, "").items())
    items.push_back(key + "=" + text(value, ""));
  return joined_or(items, "<none>");
}

std::string selector_text(const json &selector) {
  std::vector<std::string> items;
  for (const auto &[key, value] : map(selector, "matchLabels").items())
    items.push_back(key + "=" + text(value, ""));
  for (const auto &requirement : list(selector, "matchExpressions"))
    items.push_back(requirement_text(requirement));
  return joined_or(items, "<none>");
}

Column name_column() {
  return {"Name", "string", "name", "Name must be unique within a namespace."};
}
Column age_column() { return {"Age", "string", "", "How long ago the object was created."}; }
Column wide(std::string name) { return {std::move(name), "string", "", "", 1}; }

} // namespace sluice::controlplane
