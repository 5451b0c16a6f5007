#include "bench/proxy/program_peak.hpp"

#include "bench/proxy/proc_files.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

namespace sluice::bench {
namespace {

std::string first_line(const std::string &text) { return text.substr(0, text.find('\n')); }

} // namespace

ProgramPeak::ProgramPeak(pid_t parent) : parent_(parent) {
  thread_ = std::thread([this] {
    for (; !stop_; std::this_thread::sleep_for(std::chrono::milliseconds(10)))
      look();
  });
}

ProgramPeak::~ProgramPeak() {
  stop_ = true;
  thread_.join();
}

void ProgramPeak::look() {
  const auto own = first_line(read_file("/proc/" + std::to_string(parent_) + "/status"));
  std::error_code gone;
  const std::filesystem::path tasks = "/proc/" + std::to_string(parent_) + "/task";
  for (std::filesystem::directory_iterator task(tasks, gone), end; !gone && task != end;
       task.increment(gone)) {
    std::istringstream children(read_file(task->path() / "children"));
    for (std::string child; children >> child;)
      // One that has the parent's name is about to become a program, and has the parent's memory.
      if (const auto status = read_file("/proc/" + child + "/status"); first_line(status) != own)
        peak_mb_ = std::max(peak_mb_.load(), megabytes(status, "VmHWM"));
  }
}

} // namespace sluice::bench
