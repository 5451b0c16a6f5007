#include "kube/daemon/log.hpp"
#include "node/daemon.hpp"

#include <cstdio>

int main(int argc, char **argv) {
  const auto line = sluice::node::parse_command_line(argc, argv);
  if (line.exit_code) {
    std::fputs(line.text.c_str(), *line.exit_code == 0 ? stdout : stderr);
    return *line.exit_code;
  }
  if (const auto done = sluice::node::run(line.options); !done) {
    sluice::kube::daemon::log_error(done.error().what());
    return 1;
  }
  return 0;
}
