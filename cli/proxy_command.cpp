#include "cli/command.hpp"
#include "cli/proxy_mode.hpp"
#include "cli/proxy_text.hpp"

#include "kube/daemon/control_socket.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

constexpr const char *kSocket = "/run/sluice/proxy.sock";

using Words = std::string (*)(const nlohmann::json &answer);

struct Flags {
  std::string socket = kSocket, output = "text", from, to, mode;
};

Outcome ask(const Flags &flags, const nlohmann::json &request, Words words) {
  auto answer = kube::daemon::control_call(flags.socket, request, std::chrono::seconds(15));
  if (!answer)
    return fail(std::move(answer.error()).in("ask sluice-proxy"));
  const auto text = flags.output == "json" ? answer->dump(2) + "\n" : words(*answer);
  std::fputs(text.c_str(), stdout);
  return 0;
}

void add_flags(CLI::App &command, Flags &flags) {
  command.add_option("--socket", flags.socket, "where sluice-proxy listens");
  command.add_option("-o,--output", flags.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

} // namespace

void add_proxy(CLI::App &parent, Outcome &outcome) {
  const auto flags = std::make_shared<Flags>();
  auto *proxy = parent.add_subcommand("proxy", "what sluice-proxy of this node knows");
  proxy->require_subcommand(1);
  proxy->fallthrough();
  add_flags(*proxy, *flags);
  const auto verb = [&](const char *name, const char *help, Words words) {
    auto *command = proxy->add_subcommand(name, help);
    command->fallthrough();
    command->callback([flags, name = std::string(name), words, &outcome] {
      outcome = ask(*flags, {{"verb", name}}, words);
    });
  };
  verb("status", "is it in step with API and kernel", status_text);
  verb("dump", "the whole load-balancing table", dump_text);

  auto *mode = proxy->add_subcommand("mode", "which data plane runs; or change to another one");
  mode->add_option("MODE", flags->mode, "nftables, iptables or ipvs");
  mode->fallthrough();
  mode->callback([flags, &outcome] {
    outcome = proxy_mode(flags->socket, flags->mode, flags->output == "json");
  });

  auto *explain =
      parent.add_subcommand("explain", "what becomes of a connection on this node, and why");
  explain
      ->add_option("from", flags->from,
                   "an address, NAMESPACE/POD, \"node\" (this one) or node/NAME")
      ->required();
  explain
      ->add_option(
          "to", flags->to,
          "ADDRESS:PORT[/PROTOCOL], [NAMESPACE/]SERVICE[:PORT[/PROTOCOL]], or node:PORT[/PROTOCOL] for "
          "a nodePort of this one")
      ->required();
  add_flags(*explain, *flags);
  explain->callback([flags, &outcome] {
    outcome =
        ask(*flags, {{"verb", "explain"}, {"from", flags->from}, {"to", flags->to}}, explain_text);
  });
}

} // namespace sluice::cli
