#include "controlplane/daemon.hpp"

#include "controlplane/api/api_server.hpp"
#include "controlplane/auth/files.hpp"
#include "controlplane/auth/pki.hpp"
#include "controlplane/auth/tokens.hpp"
#include "controlplane/bootstrap.hpp"
#include "controlplane/controllers/controllers.hpp"
#include "kube/http/socket.hpp"

#include <filesystem>

namespace sluice::controlplane {
namespace {

using SystemClock = std::chrono::system_clock;

bool is_particular(const IpAddress &ip) { return !ip.is_unspecified() && !ip.is_loopback(); }

/// What the certificate must name.
std::vector<IpAddress> certificate_addresses(const Settings &settings,
                                             const std::vector<SocketAddress> &listening) {
  std::vector<IpAddress> addresses = settings.advertiseAddresses;
  addresses.push_back(IpAddress::from_v4(0x7f000001));
  addresses.push_back(*IpAddress::parse("::1"));
  for (const auto &address : listening)
    if (!address.ip.is_unspecified())
      addresses.push_back(address.ip);
  for (const auto &network : settings.serviceCidrs)
    addresses.push_back(first_service_address(network));
  return addresses;
}

const std::vector<std::string> kDnsNames = {"localhost", "kubernetes", "kubernetes.default",
                                            "kubernetes.default.svc",
                                            "kubernetes.default.svc.cluster.local"};

/// The endpoints of default/kubernetes: what was advertised, else where we listen.
std::vector<IpAddress> endpoints_of(const Settings &settings,
                                    const std::vector<SocketAddress> &addresses) {
  if (!settings.advertiseAddresses.empty())
    return settings.advertiseAddresses;
  std::vector<IpAddress> endpoints;
  for (const auto &address : addresses)
    if (is_particular(address.ip))
      endpoints.push_back(address.ip);
  return endpoints;
}

/// The sockets of `settings` (made here, so that their ports are known before anything is written)
/// and those that were handed over.
Result<std::vector<UniqueFd>> listen_on_all(const Settings &settings,
                                            std::vector<UniqueFd> sockets) {
  std::vector<UniqueFd> all;
  for (const auto &address : settings.listen) {
    SLUICE_ASSIGN(auto socket, kube::http::listen_on(address), "listen on " + address.str());
    all.push_back(std::move(socket));
  }
  for (auto &socket : sockets)
    all.push_back(std::move(socket));
  return all;
}

Result<std::vector<SocketAddress>> addresses_of(const std::vector<UniqueFd> &sockets) {
  std::vector<SocketAddress> addresses;
  for (const auto &socket : sockets) {
    SLUICE_ASSIGN(const auto address, kube::http::local_address(socket), "listen");
    addresses.push_back(address);
  }
  return addresses;
}

/// Where a client on this machine reaches us.
SocketAddress from_here(const std::vector<SocketAddress> &addresses) {
  auto address = addresses.front();
  if (address.ip.is_unspecified())
    address.ip = address.ip.is_v4() ? IpAddress::from_v4(0x7f000001) : *IpAddress::parse("::1");
  return address;
}

Result<std::unique_ptr<Registry>> open_registry(const std::string &data_dir) {
  SqliteOptions options;
  options.file = data_dir + "/store.db";
  SLUICE_ASSIGN(auto store, open_sqlite_store(options), "open the store");
  return Registry::open(resource_types(), std::move(store), {});
}

} // namespace

/// In the order of construction; torn down from the end.
struct Daemon::Parts {
  Pki pki;
  std::optional<TokenIssuer> tokens;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Controllers> controllers;
  std::unique_ptr<ApiServer> api;

  ~Parts() {
    if (registry)
      registry->close();
  }
};

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() = default;

const std::vector<SocketAddress> &Daemon::addresses() const noexcept {
  return parts_->api->addresses();
}

namespace {

ControllerSettings controller_settings(const Settings &settings, const Pki &pki) {
  ControllerSettings result;
  result.clusterCidrs = settings.clusterCidrs;
  result.nodeMaskIpv4 = settings.nodeMaskV4;
  result.nodeMaskIpv6 = settings.nodeMaskV6;
  result.serviceCidrs = settings.serviceCidrs;
  result.nodePorts = {settings.nodePortFirst, settings.nodePortLast};
  result.rootCa = pki.authority.certificate;
  result.nodeGracePeriod = settings.nodeGracePeriod;
  return result;
}

Result<> ensure_basics(Registry &registry, const Settings &settings,
                       const std::vector<SocketAddress> &addresses) {
  const auto port =
      settings.advertisePort != 0 ? settings.advertisePort : addresses.front().port.value;
  SLUICE_TRY(ensure_namespaces(registry), "prepare the cluster");
  SLUICE_TRY(ensure_service_cidr(registry, settings.serviceCidrs), "prepare the cluster");
  return ensure_kubernetes_service(registry, settings.serviceCidrs,
                                   endpoints_of(settings, addresses), port);
}

ApiServer::Options server_options(const Pki &pki, std::vector<UniqueFd> sockets,
                                  const std::vector<SocketAddress> &addresses) {
  ApiServer::Options options;
  options.http.sockets = std::move(sockets);
  options.http.threads = 2;
  options.http.tls = kube::http::TlsFiles{pki.certificateFile, pki.keyFile, pki.authorityFile};
  options.advertised = from_here(addresses).str();
  return options;
}

Result<> write_admin_config(const Settings &settings, const Pki &pki,
                            const std::vector<SocketAddress> &addresses) {
  SLUICE_ASSIGN(const auto admin,
                make_kubeconfig(pki, "kubernetes-admin", {"system:masters"},
                                "https://" + from_here(addresses).str(), SystemClock::now()),
                "make admin.conf");
  return write_private_file(settings.dataDir + "/admin.conf", admin);
}

} // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(const Settings &settings,
                                              std::vector<UniqueFd> handed) {
  std::error_code error;
  std::filesystem::create_directories(settings.dataDir, error);
  if (error)
    return fail(Error::from_errno(error.value(), "create \"" + settings.dataDir + "\""));
  SLUICE_ASSIGN(auto sockets, listen_on_all(settings, std::move(handed)), "start");
  SLUICE_ASSIGN(const auto addresses, addresses_of(sockets), "start");
  if (addresses.empty())
    return fail(Errc::invalid_input, "there is no address to listen on");
  auto parts = std::make_unique<Parts>();
  const auto pki_dir = settings.dataDir + "/pki";
  SLUICE_ASSIGN(parts->pki,
                Pki::ensure(pki_dir, kDnsNames, certificate_addresses(settings, addresses),
                            SystemClock::now()),
                "prepare certificates");
  SLUICE_ASSIGN(parts->tokens, TokenIssuer::load_or_create(pki_dir + "/sa.key"),
                "prepare the key of tokens");
  SLUICE_ASSIGN(parts->registry, open_registry(settings.dataDir), "open the store");
  SLUICE_ASSIGN(parts->controllers,
                Controllers::start(*parts->registry, controller_settings(settings, parts->pki)),
                "start");
  SLUICE_TRY(ensure_basics(*parts->registry, settings, addresses), "start");
  SLUICE_ASSIGN(parts->api,
                ApiServer::start(*parts->registry, *parts->tokens,
                                 server_options(parts->pki, std::move(sockets), addresses)),
                "start the API server");
  SLUICE_TRY(write_admin_config(settings, parts->pki, addresses), "start");
  return std::unique_ptr<Daemon>(new Daemon(std::move(parts)));
}

} // namespace sluice::controlplane
