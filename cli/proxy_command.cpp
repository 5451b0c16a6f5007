#include "cli/command.hpp"
#include "cli/proxy_mode.hpp"

#include "kube/daemon/control_socket.hpp"
#include "net/port.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

constexpr const char *kSocket = "/run/sluice/proxy.sock";

Outcome ask(const std::string &socket, const nlohmann::json &request) {
  auto answer = kube::daemon::control_call(socket, request);
  if (!answer)
    return fail(std::move(answer.error()).in("ask sluice-proxy"));
  std::printf("%s\n", answer->dump(2).c_str());
  return 0;
}

/// "10.96.0.10:53/UDP"; TCP if no protocol is named.
Result<nlohmann::json> explain_request(const std::string &from, std::string to) {
  Protocol protocol = Protocol::tcp;
  if (const auto slash = to.find('/'); slash != std::string::npos) {
    SLUICE_ASSIGN(protocol, parse_protocol(to.substr(slash + 1)), "\"" + to + "\"");
    to.resize(slash);
  }
  SLUICE_ASSIGN(const auto source, IpAddress::parse(from), "FROM");
  SLUICE_ASSIGN(const auto destination, SocketAddress::parse(to), "TO");
  return nlohmann::json{{"verb", "explain"},
                        {"source", source.str()},
                        {"destination", destination.ip.str()},
                        {"port", destination.port.value},
                        {"protocol", std::string(name_of(protocol))}};
}

struct Flags {
  std::string socket = kSocket, from, to, mode;
};

} // namespace

void add_proxy(CLI::App &parent, Outcome &outcome) {
  const auto flags = std::make_shared<Flags>();
  auto *proxy = parent.add_subcommand("proxy", "what sluice-proxy of this node knows");
  proxy->require_subcommand(1);
  proxy->add_option("--socket", flags->socket, "where it listens");
  for (const std::string verb : {"status", "dump"})
    proxy
        ->add_subcommand(verb, verb == "status" ? "is it in step with API and kernel"
                                                : "the whole load-balancing table")
        ->callback([flags, verb, &outcome] {
          outcome = ask(flags->socket, {{"verb", verb}});
        });

  auto *mode = proxy->add_subcommand("mode", "which data plane runs; or change to another one");
  mode->add_option("MODE", flags->mode, "nftables, iptables, ipvs or ebpf");
  mode->callback([flags, &outcome] { outcome = proxy_mode(flags->socket, flags->mode); });

  auto *explain =
      parent.add_subcommand("explain", "what becomes of a packet on this node, and why");
  explain->add_option("from", flags->from, "the client's address")->required();
  explain->add_option("to", flags->to, "ADDRESS:PORT[/PROTOCOL]")->required();
  explain->add_option("--socket", flags->socket, "where sluice-proxy listens");
  explain->callback([flags, &outcome] {
    auto request = explain_request(flags->from, flags->to);
    outcome = request ? ask(flags->socket, *request) : fail(std::move(request.error()));
  });
}

} // namespace sluice::cli
