#include "cluster/exec.hpp"

#include <cerrno>
#include <unistd.h>

namespace sluice::cluster {

Result<> exec_program(const std::vector<std::string> &argv) {
  std::vector<char *> raw;
  for (const auto &word : argv)
    raw.push_back(const_cast<char *>(word.c_str()));
  raw.push_back(nullptr);
  ::execvp(raw[0], raw.data());
  return fail(Error::from_errno(errno, "run \"" + argv.front() + "\""));
}

} // namespace sluice::cluster
