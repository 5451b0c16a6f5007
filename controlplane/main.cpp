#include "controlplane/auth/pki.hpp"
#include "controlplane/daemon.hpp"
#include "kube/daemon/listen_fds.hpp"
#include "kube/daemon/log.hpp"
#include "kube/daemon/signals.hpp"
#include "net/mailbox.hpp"

#include <csignal>
#include <cstdio>

namespace sluice::controlplane {
namespace {

namespace daemon = kube::daemon;

Result<> print_kubeconfig(const KubeconfigSettings &settings) {
  SLUICE_ASSIGN(const auto pki, Pki::load(settings.dataDir + "/pki"), "make a kubeconfig");
  SLUICE_ASSIGN(const auto text,
                make_kubeconfig(pki, settings.user, settings.groups, settings.server,
                                std::chrono::system_clock::now()),
                "make a kubeconfig");
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

Result<std::vector<UniqueFd>> handed_sockets() {
  std::vector<UniqueFd> sockets;
  SLUICE_ASSIGN(auto handed, daemon::take_listen_fds(), "take sockets from LISTEN_FDS");
  for (auto &socket : handed)
    sockets.push_back(std::move(socket.fd));
  return sockets;
}

Result<> serve(Settings settings) {
  SLUICE_TRY(daemon::block_signals(), "start");
  if (settings.verbose)
    daemon::set_log_level(daemon::LogLevel::debug);
  SLUICE_ASSIGN(auto sockets, handed_sockets(), "start");
  if (settings.listen.empty() && sockets.empty())
    settings.listen = {{IpAddress::from_v4(0x7f000001), Port(6443)}};
  Mailbox<int> signals;
  SLUICE_ASSIGN(const auto listener,
                daemon::SignalListener::start([&signals](int signal) { signals.put(signal); }),
                "start");
  SLUICE_ASSIGN(const auto running, Daemon::start(settings, std::move(sockets)), "start");
  for (const auto &address : running->addresses())
    daemon::log_info("serving the API", {{"address", address.str()},
                                         {"kubeconfig", settings.dataDir + "/admin.conf"}});
  int signal = SIGHUP; // there is nothing to read again
  while (signal == SIGHUP)
    signal = signals.take().value_or(SIGTERM);
  daemon::log_info("stopping", {{"signal", signal}});
  return {};
}

} // namespace
} // namespace sluice::controlplane

int main(int argc, char **argv) {
  using namespace sluice::controlplane;
  const auto line = parse_command_line(argc, argv);
  if (line.verb == CommandLine::Verb::exit)
    return line.exit_code;
  const auto outcome = line.verb == CommandLine::Verb::kubeconfig
                           ? print_kubeconfig(line.kubeconfig)
                           : serve(line.settings);
  if (outcome)
    return 0;
  sluice::kube::daemon::log_error(outcome.error().what());
  return 1;
}
