#include "podlet/node_agent.hpp"
#include "podlet/podlet.hpp"

#include "kernel/cgroup.hpp"
#include "kube/daemon/log.hpp"
#include "kube/daemon/signals.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/prctl.h>

namespace {

using namespace sluice;
namespace log = kube::daemon;

struct Flags {
  podlet::Settings settings;
  std::string kubeconfig, master, log_level = "info";
  std::vector<std::string> node_ips;
};

void declare(CLI::App &app, Flags &flags) {
  app.option_defaults()->always_capture_default();
  auto &settings = flags.settings;
  app.add_option("--kubeconfig", flags.kubeconfig, "how to reach the API server");
  app.add_option("--master", flags.master, "its address, instead of the kubeconfig's");
  app.add_option("--node-name", settings.node_name, "of the Node to be")->required();
  app.add_option("--node-ip", flags.node_ips, "an address of the node; once per IP family")
      ->required();
  app.add_option("--cni-conf-dir", settings.cni_conf_dir, "where the CNI configuration is");
  app.add_option("--cni-bin-dir", settings.cni_bin_dirs, "where the CNI plugins are");
  app.add_option("--run-dir", settings.run_dir, "pods and their logs are kept below it");
  app.add_option("--cgroup", settings.cgroup, "a folder of cgroup2 for the pods")->required();
  app.add_option("-v,--log-level", flags.log_level, "debug, info, warning or error");
}

Result<> run(Flags &flags) {
  SLUICE_ASSIGN(const auto level, log::parse_log_level(flags.log_level), "--log-level");
  log::set_log_level(level);
  auto &settings = flags.settings;
  for (const auto &text : flags.node_ips) {
    SLUICE_ASSIGN(const auto ip, IpAddress::parse(text), "--node-ip");
    settings.node_ips.push_back(ip);
  }
  const char *path = std::getenv("PATH");
  settings.path = path != nullptr ? path : "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  SLUICE_TRY(log::block_signals(), "start");
  SLUICE_ASSIGN(auto config, kube::client_config(flags.kubeconfig, flags.master), "start");
  config.userAgent = "sluice-podlet";
  SLUICE_ASSIGN(const auto client, kube::ApiClient::create(std::move(config)), "start");
  if (auto cgroup = kernel::Cgroup::create(settings.cgroup); !cgroup)
    return fail(std::move(cgroup.error()).in("make the pods' cgroup"));

  podlet::Podlet podlet(*client, settings);
  SLUICE_ASSIGN(const auto signals, log::SignalListener::start([&podlet](int signal) {
                  if (signal != SIGHUP)
                    podlet.stop();
                }),
                "start");
  const podlet::NodeAgent node(*client,
                               podlet::read_node_facts(settings.node_name, settings.node_ips),
                               settings.cni_conf_dir);
  log::log_info("running", {{"node", settings.node_name}});
  podlet.run();
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("sluice-podlet: runs the pods of a node without images: each container's command in "
               "namespaces of its pod");
  Flags flags;
  declare(app, flags);
  CLI11_PARSE(app, argc, argv);
  if (auto done = run(flags); !done) {
    std::fprintf(stderr, "sluice-podlet: %s\n", done.error().what().c_str());
    return 1;
  }
  return 0;
}
