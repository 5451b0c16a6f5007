#pragma once
// A kube-apiserver and its etcd inside a network namespace, on loopback, with what they write in a
// temporary folder. No controller runs: slices are written by whoever wants them.

#include "kernel/netns.hpp"
#include "kernel/spawn.hpp"
#include "kube/testing/pki.hpp"

#include <optional>

namespace sluice::integration {

/// The programs that are given, not built: paths, or names on PATH.
struct KubePrograms {
  std::string apiserver; ///< SLUICE_KUBE_APISERVER
  std::string etcd;      ///< SLUICE_ETCD, else "etcd"
  /// None without SLUICE_KUBE_APISERVER.
  static std::optional<KubePrograms> from_environment();
};

class KubeApiserver {
public:
  /// Returns when /readyz is good and discovery.k8s.io/v1 is served (Kubernetes 1.21 or newer).
  /// `where` has to outlive it and needs an address beside loopback to advertise. Errors name the
  /// program, its variable, and the end of what it logged.
  static Result<std::unique_ptr<KubeApiserver>>
  start(const kernel::NetNs &where, KubePrograms programs, const std::string &advertised);
  ~KubeApiserver();

  /// The path of a kubeconfig with a client certificate: "admin" (of system:masters) or
  /// "system:kube-proxy".
  std::string kubeconfig(const std::string &user) const;
  /// As admin; what it printed. Error: it failed, with what it said.
  Result<std::string> kubectl(std::vector<std::string> arguments,
                              const std::string &stdin_text = "") const;
  /// The end of what the program of this variable logged.
  std::string log(const std::string &variable = "SLUICE_KUBE_APISERVER") const;
  /// kube-apiserver alone; etcd goes on.
  void stop_apiserver();
  /// As `start`.
  Result<> start_apiserver();

private:
  KubeApiserver(const kernel::NetNs &where, KubePrograms programs, std::string advertised);
  Result<> start_etcd();
  Result<> wait_until_ready();
  Result<kernel::Child> launch(const std::string &variable, std::vector<std::string> argv) const;
  void make_certificates() const;

  const kernel::NetNs &where_;
  KubePrograms programs_;
  std::string advertised_;
  kube::testing::Pki pki_;
  std::optional<kernel::Child> etcd_, apiserver_;
};

} // namespace sluice::integration
