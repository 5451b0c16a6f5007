#include "kube/daemon/process_metrics.hpp"

#include <algorithm>
#include <dirent.h>
#include <fstream>
#include <memory>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace sluice::kube::daemon {
namespace {

/// proc_pid_stat(5), from the third field on: the second, the program's name, may hold blanks.
std::vector<std::string> fields_after_name(const std::string &stat) {
  std::vector<std::string> fields;
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos)
    return fields;
  std::istringstream rest(stat.substr(name_end + 1));
  for (std::string field; rest >> field;)
    fields.push_back(std::move(field));
  return fields;
}

std::size_t open_files(const std::string &folder) {
  const std::unique_ptr<DIR, int (*)(DIR *)> fds(::opendir(folder.c_str()), &::closedir);
  std::size_t count = 0;
  if (fds)
    while (::readdir(fds.get()))
      ++count;
  return count > 3 ? count - 3 : 0; // ".", ".." and the folder itself
}

void write(std::ostream &out, const char *name, const char *type, const char *help, double value) {
  out << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n'
      << name << ' ' << value << '\n';
}

} // namespace

std::string process_metrics_text(const std::string &proc) {
  std::ifstream file(proc + "/stat");
  std::stringstream stat;
  stat << file.rdbuf();
  const auto fields = fields_after_name(stat.str());
  if (fields.size() < 22)
    return {};
  const auto number = [&](std::size_t at) { return std::strtod(fields[at - 3].c_str(), nullptr); };
  std::ostringstream out;
  out.precision(17);
  write(out, "process_cpu_seconds_total", "counter", "User and system CPU time in seconds.",
        (number(14) + number(15)) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  write(out, "process_virtual_memory_bytes", "gauge", "Virtual memory in bytes.", number(23));
  write(out, "process_resident_memory_bytes", "gauge", "Resident memory in bytes.",
        number(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  write(out, "process_threads", "gauge", "Threads.", number(20));
  write(out, "process_open_fds", "gauge", "Open file descriptors.",
        static_cast<double>(open_files(proc + "/fd")));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    write(out, "process_max_fds", "gauge", "How many file descriptors may be open.",
          static_cast<double>(limit.rlim_cur));
  return out.str();
}

} // namespace sluice::kube::daemon
