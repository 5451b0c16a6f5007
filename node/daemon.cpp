#include "node/daemon.hpp"

#include "kernel/nft/nft_socket.hpp"
#include "kube/api_client.hpp"
#include "kube/daemon/log.hpp"
#include "kube/daemon/signals.hpp"
#include "node/kernel_listener.hpp"
#include "node/leftovers.hpp"
#include "node/loop.hpp"

#include <csignal>
#include <cstdio>

namespace sluice::node {
namespace {

namespace daemon = kube::daemon;

/// The kernel's side, which needs no API server.
struct Kernel {
  kernel::RtnlSocket rtnl;
  kernel::nft::NftSocket nft;
};

Result<Kernel> open_kernel() {
  SLUICE_ASSIGN(auto rtnl, kernel::RtnlSocket::open(), "start");
  SLUICE_ASSIGN(auto nft, kernel::nft::NftSocket::open(), "start");
  return Kernel{std::move(rtnl), std::move(nft)};
}

Agent make_agent(Kernel &kernel, const Options &options) {
  return Agent(kernel.rtnl, kernel.nft, kernel::Sysctl(),
               CniConfigFile(options.cni_conf_dir, options.cni_conf_name), options.settings);
}

Result<> clean_up(Agent &agent) {
  auto failures = agent.cleanup();
  for (const auto &failure : failures)
    daemon::log_error("not removed", {{"error", failure}});
  if (!failures.empty())
    return fail(Error(failures.front()).in("clean up"));
  daemon::log_info("our routes, the nft table inet sluice-node and the CNI configuration are gone");
  return {};
}

Result<> print_plan(Loop &loop) {
  SLUICE_ASSIGN(const auto actions, loop.plan_once(std::chrono::seconds(30)), "dry run");
  const auto text = actions.empty() ? "nothing to do\n" : actions.str();
  std::fwrite(text.data(), 1, text.size(), stdout);
  for (const auto &problem : actions.problems)
    std::fprintf(stderr, "node \"%s\": %s\n", problem.node.c_str(), problem.what.c_str());
  return {};
}

/// Routes and rules matter more: a failure is told and no more.
void give_back_addresses(Kernel &kernel) {
  const auto released = release_leftovers(kernel.rtnl, LeftoverPlaces{},
                                          std::filesystem::file_time_type::clock::now());
  if (!released)
    return daemon::log_warning("addresses of pods that are gone stay reserved",
                               {{"error", released.error()}});
  for (const auto &ip : *released)
    daemon::log_info("gave back the address of a pod that is gone", {{"ip", ip.str()}});
}

} // namespace

Result<> run(const Options &options) {
  SLUICE_TRY(daemon::block_signals(), "start");
  if (options.verbose)
    daemon::set_log_level(daemon::LogLevel::debug);
  SLUICE_ASSIGN(auto kernel, open_kernel(), "sluice-node");
  auto agent = make_agent(kernel, options);
  if (options.cleanup)
    return clean_up(agent);

  SLUICE_ASSIGN(auto config, kube::client_config(options.kubeconfig, options.master), "start");
  config.userAgent = "sluice-node";
  SLUICE_ASSIGN(const auto client, kube::ApiClient::create(std::move(config)), "start");
  Mailbox<Event> mailbox;
  SLUICE_ASSIGN(const auto signals, daemon::SignalListener::start([&](int number) {
                  if (number != SIGHUP) // there is nothing to read again
                    mailbox.close();
                }),
                "start");
  Loop loop(agent, mailbox);
  const kube::Informer<kube::Node> nodes(
      *client, {}, [&](kube::Change<kube::Node> change) { mailbox.put(std::move(change)); });
  if (options.dry_run)
    return print_plan(loop);

  SLUICE_ASSIGN(
      const auto listener,
      KernelListener::start({kernel.nft.port_id()}, [&] { mailbox.put(KernelChanged{}); }),
      "start");
  give_back_addresses(kernel);
  daemon::log_info("sluice-node runs", {{"node", options.settings.node_name}});
  loop.run();
  daemon::log_info("stopping; routes, rules and configuration stay");
  return {};
}

} // namespace sluice::node
