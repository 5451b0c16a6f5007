#pragma once
// The command line of a benchmark: how many Services, and nothing else.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace sluice::bench {

constexpr std::uint32_t kMostServices = 200000;

/// Ends the program: 0 if it was asked for, else 2.
[[noreturn]] inline void show_usage(const char *usage, bool asked) {
  std::fprintf(asked ? stdout : stderr, "usage: %s\n", usage);
  std::exit(asked ? 0 : 2);
}

inline std::uint32_t parse_services(std::string_view text, const char *usage) {
  std::uint32_t services = 0;
  const auto *end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, services);
  if (read.ec != std::errc{} || read.ptr != end || services == 0 || services > kMostServices)
    show_usage(usage, text == "-h" || text == "--help");
  return services;
}

/// The numbers of Services on the command line, or `usual` if there are none. Anything else there
/// shows the usage and ends the program.
inline std::vector<std::uint32_t> services_of(int argc, char **argv,
                                              std::vector<std::uint32_t> usual, const char *usage) {
  std::vector<std::uint32_t> asked;
  for (int at = 1; at < argc; ++at)
    asked.push_back(parse_services(argv[at], usage));
  return asked.empty() ? usual : asked;
}

} // namespace sluice::bench
