#include "bench/proxy/proc_files.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

namespace sluice::bench {

std::string read_file(const std::string &path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

double megabytes(const std::string &text, const std::string &field) {
  const auto at = text.find(field + ":");
  return at == std::string::npos ? 0 : std::atof(text.c_str() + at + field.size() + 1) / 1024;
}

double kernel_megabytes() {
  const auto text = read_file("/proc/meminfo");
  return megabytes(text, "SUnreclaim") + megabytes(text, "VmallocUsed") + megabytes(text, "Percpu");
}

double settled_kernel_megabytes() {
  constexpr double kStill = 0.3;
  auto last = kernel_megabytes();
  for (int second = 0; second < 30; ++second) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto now = std::exchange(last, kernel_megabytes());
    if (std::abs(last - now) < kStill)
      break;
  }
  return last;
}

} // namespace sluice::bench
