#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

int main(int argc, char **argv) {
  CLI::App app("sluicectl: clusters on one machine, and a look into Sluice's daemons");
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  sluice::cli::Outcome outcome = 0;
  sluice::cli::add_cluster(app, outcome);
  sluice::cli::add_cni(app, outcome);
  sluice::cli::add_netexec(app, outcome);
  sluice::cli::add_proxy(app, outcome);
  CLI11_PARSE(app, argc, argv);
  if (!outcome) {
    std::fprintf(stderr, "sluicectl: %s\n", outcome.error().what().c_str());
    return 1;
  }
  return *outcome;
}
