#include "proxy/config/configuration.hpp"

#include <charconv>
#include <cstdio>

namespace sluice::proxy::config {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6},
                           {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
constexpr double kLongest = 100.0 * 366 * 24 * 3600e9;

/// "ms" is not "m".
const Unit *take_unit(std::string_view &text) {
  const Unit *best = nullptr;
  for (const auto &unit : kUnits)
    if (text.substr(0, unit.name.size()) == unit.name &&
        (!best || unit.name.size() > best->name.size()))
      best = &unit;
  if (best)
    text.remove_prefix(best->name.size());
  return best;
}

std::string with_unit(std::int64_t count, std::int64_t unit, const char *name) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9f", static_cast<double>(count) / static_cast<double>(unit));
  std::string number(text);
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.')
    number.pop_back();
  return number + name;
}

} // namespace

Result<nanoseconds> parse_duration(std::string_view text) {
  const auto bad = [whole = text] {
    return fail(Errc::invalid_input,
                "\"" + std::string(whole) + "\" is no duration: it looks like 30s, 1m30s or 500ms");
  };
  if (text == "0")
    return nanoseconds{0};
  if (text.empty())
    return bad();
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || !(number >= 0))
      return bad();
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto *unit = take_unit(text);
    if (!unit)
      return bad();
    sum += number * unit->nanoseconds;
  }
  if (sum > kLongest)
    return bad();
  return nanoseconds(static_cast<std::int64_t>(sum));
}

std::string duration_text(nanoseconds time) {
  const auto count = time.count();
  if (count == 0)
    return "0s";
  if (count < 1'000)
    return with_unit(count, 1, "ns");
  if (count < 1'000'000)
    return with_unit(count, 1'000, "us");
  if (count < 1'000'000'000)
    return with_unit(count, 1'000'000, "ms");
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(time);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(time - hours);
  std::string out;
  if (hours.count() > 0)
    out += std::to_string(hours.count()) + "h";
  if (time >= std::chrono::minutes(1))
    out += std::to_string(minutes.count()) + "m";
  return out + with_unit((time - hours - minutes).count(), 1'000'000'000, "s");
}

} // namespace sluice::proxy::config
