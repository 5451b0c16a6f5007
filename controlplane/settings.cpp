#include "controlplane/settings.hpp"

#include <CLI/CLI.hpp>

namespace sluice::controlplane {
namespace {

/// An error of ours as CLI11 reports those of its own.
template <class T> T value_or_throw(Result<T> result) {
  if (!result)
    throw CLI::ValidationError(result.error().what());
  return std::move(*result);
}

/// At most one of each family.
std::vector<Cidr> parse_cidr_pair(const std::string &text) {
  auto cidrs = value_or_throw(parse_cidr_list(text));
  if (cidrs.empty() || cidrs.size() > 2 ||
      (cidrs.size() == 2 && cidrs[0].family() == cidrs[1].family()))
    throw CLI::ValidationError("\"" + text +
                               "\": give one network, or one IPv4 and one IPv6 network");
  return cidrs;
}

/// Port 0, which no other SocketAddress may have, is any free port.
Result<SocketAddress> parse_listen_address(const std::string &text) {
  if (!text.ends_with(":0"))
    return SocketAddress::parse(text);
  auto address = SocketAddress::parse(text.substr(0, text.size() - 1) + "1");
  if (address)
    address->port = Port(0);
  return address;
}

void add_network_options(CLI::App &app, Settings &settings) {
  app.add_option_function<std::string>(
         "--service-cidr",
         [&settings](const std::string &text) { settings.serviceCidrs = parse_cidr_pair(text); },
         "networks of Service addresses; the first family is the default")
      ->default_str("10.96.0.0/16");
  app.add_option_function<std::string>(
         "--cluster-cidr",
         [&settings](const std::string &text) { settings.clusterCidrs = parse_cidr_pair(text); },
         "networks out of which each node gets its pod networks")
      ->default_str("10.244.0.0/16");
  app.add_option("--node-cidr-mask-size", settings.nodeMaskV4, "length of a node's IPv4 network")
      ->capture_default_str()
      ->check(CLI::Range(8, 30));
  app.add_option("--node-cidr-mask-size-ipv6", settings.nodeMaskV6,
                 "length of a node's IPv6 network")
      ->capture_default_str()
      ->check(CLI::Range(16, 124));
  app.add_option_function<std::string>(
         "--service-node-port-range",
         [&settings](const std::string &text) {
           std::tie(settings.nodePortFirst, settings.nodePortLast) =
               value_or_throw(parse_port_range(text));
         },
         "ports for Services of type NodePort and LoadBalancer")
      ->default_str("30000-32767");
}

void add_server_options(CLI::App &app, Settings &settings) {
  app.add_option("--data-dir", settings.dataDir, "where the store and the keys are")
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--listen",
         [&settings](const std::vector<std::string> &texts) {
           for (const auto &text : texts)
             settings.listen.push_back(value_or_throw(parse_listen_address(text)));
         },
         "ADDRESS:PORT to serve HTTPS on, may be repeated; IPv6 in brackets, port 0 for any")
      ->default_str("127.0.0.1:6443");
  app.add_option_function<std::vector<std::string>>(
      "--advertise-address",
      [&settings](const std::vector<std::string> &texts) {
        for (const auto &text : texts)
          settings.advertiseAddresses.push_back(value_or_throw(IpAddress::parse(text)));
      },
      "address of this server for pods (endpoint of the Service default/kubernetes), may be "
      "repeated");
  app.add_option("--advertise-port", settings.advertisePort,
                 "port of that endpoint; otherwise the first one listened on");
  app.add_option_function<unsigned>(
         "--node-grace-period",
         [&settings](unsigned seconds) {
           settings.nodeGracePeriod = std::chrono::seconds(seconds);
         },
         "seconds without a lease after which a node counts as not ready")
      ->default_str("40");
  app.add_flag("-v,--verbose", settings.verbose, "log what is done, too");
}

void set_defaults(Settings &settings) {
  if (settings.serviceCidrs.empty())
    settings.serviceCidrs = {Cidr(IpAddress::from_v4(0x0a600000), 16)};
  if (settings.clusterCidrs.empty())
    settings.clusterCidrs = {Cidr(IpAddress::from_v4(0x0af40000), 16)};
}

} // namespace

Result<std::pair<std::int32_t, std::int32_t>> parse_port_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto refused = [text] {
    return fail(Errc::invalid_input,
                "\"" + std::string(text) + "\" is no range of ports such as 30000-32767");
  };
  if (dash == std::string_view::npos)
    return refused();
  const auto first = parse_port(text.substr(0, dash));
  const auto last = parse_port(text.substr(dash + 1));
  if (!first || !last || last->value < first->value)
    return refused();
  return std::pair<std::int32_t, std::int32_t>(first->value, last->value);
}

CommandLine parse_command_line(int argc, const char *const *argv) {
  CommandLine line;
  CLI::App app("The Kubernetes API, as far as networking needs it, with its controllers.");
  app.set_version_flag("--version", "sluice-controlplane v1.32.0+sluice");
  add_server_options(app, line.settings);
  add_network_options(app, line.settings);
  auto *kubeconfig = app.add_subcommand(
      "kubeconfig", "print a kubeconfig with a new client certificate, made from the CA's key");
  kubeconfig->add_option("--data-dir", line.kubeconfig.dataDir, "as for the server")
      ->capture_default_str();
  kubeconfig->add_option("--user", line.kubeconfig.user, "name of the user")->required();
  kubeconfig->add_option("--group", line.kubeconfig.groups, "group of the user, may be repeated");
  kubeconfig->add_option("--server", line.kubeconfig.server, "URL, https://ADDRESS:PORT")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    line.verb = CommandLine::Verb::exit;
    line.exit_code = app.exit(error) == 0 ? 0 : 2;
    return line;
  }
  if (kubeconfig->parsed())
    line.verb = CommandLine::Verb::kubeconfig;
  set_defaults(line.settings);
  return line;
}

} // namespace sluice::controlplane
