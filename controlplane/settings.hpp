#pragma once
// What sluice-controlplane is told on its command line.

#include "net/ip_address.hpp"
#include "net/port.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace sluice::controlplane {

struct Settings {
  std::string dataDir = "/var/lib/sluice";
  std::vector<SocketAddress> listen;
  std::vector<IpAddress> advertiseAddresses; ///< endpoints of default/kubernetes
  std::uint16_t advertisePort = 0;           ///< 0: the port of the first listening socket
  std::vector<Cidr> serviceCidrs, clusterCidrs;
  unsigned nodeMaskV4 = 24, nodeMaskV6 = 64;
  std::int32_t nodePortFirst = 30000, nodePortLast = 32767;
  std::chrono::seconds nodeGracePeriod{40};
  bool verbose = false;
};

/// `sluice-controlplane kubeconfig`
struct KubeconfigSettings {
  std::string dataDir = "/var/lib/sluice", user, server;
  std::vector<std::string> groups;
};

struct CommandLine {
  enum class Verb : std::uint8_t { serve, kubeconfig, exit };
  Verb verb = Verb::serve;
  int exit_code = 0; ///< for exit: help or an error was printed
  Settings settings;
  KubeconfigSettings kubeconfig;
};

CommandLine parse_command_line(int argc, const char *const *argv);

/// "30000-32767"
Result<std::pair<std::int32_t, std::int32_t>> parse_port_range(std::string_view text);

} // namespace sluice::controlplane
