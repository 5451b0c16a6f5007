#include "cli/command.hpp"

#include "cluster/cluster.hpp"
#include "cluster/host_socket.hpp"
#include "cluster/supervisor.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

namespace sluice::cli {
namespace {

/// Beside the running program are the others.
cluster::Place place() {
  char self[4096] = "";
  const auto size = ::readlink("/proc/self/exe", self, sizeof self - 1);
  std::string folder(self, size > 0 ? static_cast<std::size_t>(size) : 0);
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
  const char *path = std::getenv("PATH");
  cluster::Place place;
  place.bin_folder = folder;
  place.path = path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
  return place;
}

struct CreateFlags {
  std::string name, ip_family = "dual", proxy_mode = "nftables";
  unsigned nodes = 2;
  std::uint16_t api_port = 0;
  int timeout_s = 60;
};

void print_step(const std::string &step, std::chrono::milliseconds took) {
  std::printf("  %-24s %6.2f s\n", step.c_str(), static_cast<double>(took.count()) / 1000);
  std::fflush(stdout);
}

void print_how_to_use(const std::string &name, const cluster::Created &created) {
  std::printf("\nCluster \"%s\" is up; its API answers on https://127.0.0.1:%u. To use it:\n\n"
              "  export KUBECONFIG=%s\n"
              "  kubectl get nodes\n"
              "  sluicectl cluster exec %s node1 -- ip route\n"
              "  sluicectl cluster delete %s\n",
              name.c_str(), created.api_port.value, created.paths.kubeconfig.c_str(), name.c_str(),
              name.c_str());
}

Outcome create(const CreateFlags &flags) {
  cluster::CreateOptions options;
  options.cluster.name = flags.name;
  options.cluster.nodes = flags.nodes;
  options.cluster.proxy_mode = flags.proxy_mode;
  auto families = cluster::parse_families(flags.ip_family);
  if (!families)
    return fail(std::move(families.error()));
  options.cluster.families = *families;
  options.api_port = Port(flags.api_port);
  options.deadline = std::chrono::seconds(flags.timeout_s);
  options.progress = print_step;
  auto created = cluster::create_cluster(place(), options);
  if (!created)
    return fail(std::move(created.error()));
  print_how_to_use(flags.name, *created);
  return 0;
}

Outcome remove(const std::string &name) {
  auto removed = cluster::remove_cluster(place(), name);
  if (!removed)
    return fail(std::move(removed.error()));
  std::printf(*removed ? "cluster \"%s\" is gone\n" : "there was no cluster \"%s\"\n",
              name.c_str());
  return 0;
}

std::string age_since(const std::string &created) {
  tm parts{};
  if (::strptime(created.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr)
    return "-";
  const auto seconds = static_cast<long>(std::time(nullptr) - ::timegm(&parts));
  if (seconds < 120)
    return std::to_string(seconds) + "s";
  if (seconds < 2 * 3600)
    return std::to_string(seconds / 60) + "m";
  return seconds < 48 * 3600 ? std::to_string(seconds / 3600) + "h"
                             : std::to_string(seconds / 86400) + "d";
}

Outcome list() {
  const auto clusters = cluster::list_clusters(place());
  if (clusters.empty()) {
    std::printf("there are no clusters; make one with: sluicectl cluster create NAME\n");
    return 0;
  }
  std::printf("%-20s %5s %5s %6s  %s\n", "NAME", "NODES", "AGE", "PORT", "STATE");
  for (const auto &info : clusters)
    std::printf("%-20s %5zu %5s %6u  %s\n", info.name.c_str(),
                info.members.empty() ? 0 : info.members.size() - 1, age_since(info.created).c_str(),
                info.api_port.value, info.state().c_str());
  return 0;
}

Outcome kubeconfig(const std::string &name) {
  auto text = cluster::read_cluster_kubeconfig(place(), name);
  if (!text)
    return fail(std::move(text.error()));
  std::printf("%s", text->c_str());
  return 0;
}

Outcome from(Result<> result) {
  if (!result)
    return fail(std::move(result.error()));
  return 0;
}

void add_name(CLI::App *command, std::string &name) {
  command->add_option("name", name, "of the cluster")->required();
}

void add_create(CLI::App &cluster, Outcome &outcome) {
  const auto flags = std::make_shared<CreateFlags>();
  auto *command = cluster.add_subcommand("create", "make a cluster and wait until it is ready");
  add_name(command, flags->name);
  command->add_option("--nodes", flags->nodes, "how many nodes");
  command->add_option("--ip-family", flags->ip_family, "dual, ipv4 or ipv6");
  command->add_option("--api-port", flags->api_port, "of the API on 127.0.0.1; 0: any free one");
  command->add_option("--proxy-mode", flags->proxy_mode, "of sluice-proxy");
  command->add_option("--timeout", flags->timeout_s, "seconds until all nodes must be ready");
  command->callback([flags, &outcome] { outcome = create(*flags); });
}

void add_exec(CLI::App &cluster, Outcome &outcome) {
  struct Flags {
    std::string cluster, target;
    std::vector<std::string> argv;
  };
  const auto flags = std::make_shared<Flags>();
  auto *command = cluster.add_subcommand("exec", "run a program inside a node or a pod");
  add_name(command, flags->cluster);
  command->add_option("target", flags->target, "node1, pod/NAME or pod/NAMESPACE/NAME")->required();
  command->add_option("command", flags->argv, "after --")->required();
  command->callback([flags, &outcome] {
    outcome = from(cluster::exec_in_cluster(place(), flags->cluster, flags->target, flags->argv));
  });
}

/// What `create` starts; nobody types these.
void add_hidden(CLI::App &cluster, Outcome &outcome) {
  const auto folder = std::make_shared<std::string>();
  auto *supervise = cluster.add_subcommand("supervise", "");
  supervise->group("");
  supervise->add_option("folder", *folder)->required();
  supervise->callback([folder, &outcome] { outcome = from(cluster::supervise(*folder)); });

  const auto argv = std::make_shared<std::vector<std::string>>();
  auto *listen = cluster.add_subcommand("listen-exec", "");
  listen->group("");
  listen->add_option("command", *argv)->required();
  listen->callback([argv, &outcome] { outcome = from(cluster::exec_with_socket(*argv)); });
}

} // namespace

void add_cluster(CLI::App &parent, Outcome &outcome) {
  auto *command = parent.add_subcommand("cluster", "whole clusters in namespaces of this machine");
  command->require_subcommand(1);
  add_create(*command, outcome);
  add_exec(*command, outcome);
  add_hidden(*command, outcome);

  const auto name = std::make_shared<std::string>();
  auto *gone = command->add_subcommand("delete", "end a cluster and remove all of it");
  add_name(gone, *name);
  gone->callback([name, &outcome] { outcome = remove(*name); });

  command->add_subcommand("list", "the clusters of this machine")->callback([&outcome] {
    outcome = list();
  });

  auto *config = command->add_subcommand("kubeconfig", "print the kubeconfig of a cluster");
  add_name(config, *name);
  config->callback([name, &outcome] { outcome = kubeconfig(*name); });
}

} // namespace sluice::cli
