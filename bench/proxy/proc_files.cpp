#include "bench/proxy/proc_files.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

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

} // namespace sluice::bench
