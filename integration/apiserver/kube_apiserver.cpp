#include "integration/apiserver/kube_apiserver.hpp"

#include "integration/shell.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>

namespace sluice::integration {
namespace {

using namespace std::chrono_literals;

// The namespace is ours alone, so fixed ports are free.
constexpr const char *kEtcd = "http://127.0.0.1:2379", *kEtcdPeer = "http://127.0.0.1:2380";
constexpr const char *kServer = "https://127.0.0.1:6443";
constexpr const char *kApiserverVariable = "SLUICE_KUBE_APISERVER", *kEtcdVariable = "SLUICE_ETCD";

std::string file_of(const std::string &user) { return user == "admin" ? "admin" : "proxy"; }

} // namespace

std::optional<KubePrograms> KubePrograms::from_environment() {
  const char *apiserver = std::getenv(kApiserverVariable);
  const char *etcd = std::getenv(kEtcdVariable);
  if (apiserver == nullptr)
    return std::nullopt;
  return KubePrograms{apiserver, etcd != nullptr ? etcd : "etcd"};
}

KubeApiserver::KubeApiserver(const kernel::NetNs &where, KubePrograms programs,
                             std::string advertised)
    : where_(where), programs_(std::move(programs)), advertised_(std::move(advertised)) {}

Result<std::unique_ptr<KubeApiserver>> KubeApiserver::start(const kernel::NetNs &where,
                                                            KubePrograms programs,
                                                            const std::string &advertised) {
  std::unique_ptr<KubeApiserver> made(new KubeApiserver(where, std::move(programs), advertised));
  made->make_certificates();
  SLUICE_TRY(made->start_etcd(), "start etcd");
  SLUICE_TRY(made->start_apiserver(), "start kube-apiserver");
  return made;
}

KubeApiserver::~KubeApiserver() {
  stop_apiserver();
  if (etcd_)
    (void)etcd_->stop(5s);
}

void KubeApiserver::make_certificates() const {
  pki_.make_authority("ca");
  pki_.make_authority("service-account");
  pki_.make_certificate("server", "ca", "/CN=kube-apiserver", "IP:127.0.0.1");
  for (const auto &[file, subject] : {std::pair("admin", "/O=system:masters/CN=admin"),
                                      std::pair("proxy", "/CN=system:kube-proxy")}) {
    pki_.make_certificate(file, "ca", subject);
    const auto certificate = pki_.path(file);
    pki_.folder().write(std::string(file) + ".conf",
                        std::string("apiVersion: v1\nkind: Config\ncurrent-context: test\n") +
                            "clusters:\n- name: test\n  cluster: {server: '" + kServer +
                            "', certificate-authority: " + pki_.path("ca.crt") + "}\n" +
                            "users:\n- name: test\n  user: {client-certificate: " + certificate +
                            ".crt, client-key: " + certificate + ".key}\n" +
                            "contexts:\n- name: test\n  context: {cluster: test, user: test}\n");
  }
}

Result<kernel::Child> KubeApiserver::launch(const std::string &variable,
                                            std::vector<std::string> argv) const {
  const auto program = argv.front();
  const UniqueFd log(::open(pki_.path(variable + ".log").c_str(),
                            O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  kernel::SpawnOptions options;
  options.argv = std::move(argv);
  options.stdout_fd = options.stderr_fd = log.get();
  options.netns_fd = where_.fd();
  options.working_directory = pki_.path("");
  options.parent_death_signal = SIGKILL;
  SLUICE_ASSIGN(auto child, kernel::spawn(options), variable + "=\"" + program + "\"");
  return child;
}

Result<> KubeApiserver::start_etcd() {
  SLUICE_ASSIGN(
      etcd_,
      launch(kEtcdVariable, {programs_.etcd, "--data-dir", pki_.path("etcd"),
                             "--listen-client-urls", kEtcd, "--advertise-client-urls", kEtcd,
                             "--listen-peer-urls", kEtcdPeer, "--initial-advertise-peer-urls",
                             kEtcdPeer, "--initial-cluster", std::string("default=") + kEtcdPeer}),
      "Debian has it in the package etcd-server");
  return {};
}

Result<> KubeApiserver::start_apiserver() {
  SLUICE_ASSIGN(
      apiserver_,
      launch(kApiserverVariable,
             {programs_.apiserver, std::string("--etcd-servers=") + kEtcd,
              "--bind-address=127.0.0.1", "--secure-port=6443",
              "--advertise-address=" + advertised_, "--service-cluster-ip-range=172.30.0.0/16",
              "--authorization-mode=RBAC", "--cert-dir=" + pki_.path("certificates"),
              "--tls-cert-file=" + pki_.path("server.crt"),
              "--tls-private-key-file=" + pki_.path("server.key"),
              "--client-ca-file=" + pki_.path("ca.crt"),
              "--service-account-issuer=https://kubernetes.default.svc",
              "--service-account-key-file=" + pki_.path("service-account.crt"),
              "--service-account-signing-key-file=" + pki_.path("service-account.key")}),
      "give the path of a kube-apiserver");
  return wait_until_ready();
}

Result<> KubeApiserver::wait_until_ready() {
  Result<std::string> said = std::string();
  const auto ended = [](kernel::Child &child) { return child.wait_for(0ms).has_value(); };
  const bool ready = eventually(60s, [&] {
    said = kubectl({"get", "--raw=/readyz"});
    return said.has_value() || ended(*etcd_) || ended(*apiserver_);
  });
  for (auto [child, variable, program] :
       {std::tuple(&*etcd_, kEtcdVariable, programs_.etcd),
        std::tuple(&*apiserver_, kApiserverVariable, programs_.apiserver)})
    if (const auto end = child->wait_for(0ms))
      return fail(Errc::io, std::string(variable) + "=\"" + program + "\" " + end->str() + "\n" +
                                log(variable));
  if (!ready)
    return fail(Errc::timeout, "not ready after 60 s: " + said.error().what() + "\n" + log());
  if (auto slices = kubectl({"get", "--raw=/apis/discovery.k8s.io/v1"}); !slices)
    return fail(
        std::move(slices.error()).in("no discovery.k8s.io/v1; it takes Kubernetes 1.21 or newer"));
  return {};
}

std::string KubeApiserver::log(const std::string &variable) const {
  constexpr std::size_t kMost = 2000;
  const auto text = pki_.read(variable + ".log");
  return text.size() > kMost ? "..." + text.substr(text.size() - kMost) : text;
}

void KubeApiserver::stop_apiserver() {
  if (apiserver_)
    (void)apiserver_->stop(5s); // it would drain for longer
  apiserver_.reset();
}

std::string KubeApiserver::kubeconfig(const std::string &user) const {
  return pki_.path(file_of(user) + ".conf");
}

Result<std::string> KubeApiserver::kubectl(std::vector<std::string> arguments,
                                           const std::string &stdin_text) const {
  kernel::SpawnOptions options;
  arguments.insert(arguments.begin(), {kubectl_program(), "--kubeconfig=" + kubeconfig("admin"),
                                       "--cache-dir=" + pki_.path("cache")});
  options.argv = std::move(arguments);
  options.netns_fd = where_.fd();
  SLUICE_ASSIGN(const auto output, kernel::run_program(std::move(options), stdin_text, 30s),
                "kubectl");
  if (!output.status.success())
    return fail(Errc::io, "kubectl " + output.status.str() + ": " + output.stderr_text);
  return output.stdout_text;
}

} // namespace sluice::integration
