#pragma once
// The cluster's own certificates, in <data-dir>/pki: ca.crt, ca.key, apiserver.crt, apiserver.key;
// and kubeconfigs with fresh client certificates.

#include "controlplane/auth/certificate.hpp"

namespace sluice::controlplane {

struct Pki {
  std::string folder;
  KeyPair authority;
  std::string certificateFile, keyFile, authorityFile; ///< of the server, and the CA

  /// Makes what is missing. The server's certificate is made anew if its names are not those
  /// wanted, if another CA signed it, or if it ends within 30 days; the CA never.
  static Result<Pki> ensure(const std::string &folder, const std::vector<std::string> &dnsNames,
                            const std::vector<IpAddress> &addresses,
                            std::chrono::system_clock::time_point now);
  /// Reads the CA only; not_found if there is none yet.
  static Result<Pki> load(const std::string &folder);
};

/// A kubeconfig (YAML) for `user`, with a new client certificate of one year.
Result<std::string> make_kubeconfig(const Pki &pki, const std::string &user,
                                    const std::vector<std::string> &groups,
                                    const std::string &server,
                                    std::chrono::system_clock::time_point now);

} // namespace sluice::controlplane
