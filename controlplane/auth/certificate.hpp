#pragma once
// X.509 certificates with EC P-256 keys, in PEM.

#include "net/ip_address.hpp"
#include "net/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace sluice::controlplane {

struct KeyPair {
  std::string certificate, key; ///< PEM
};

struct CertificateRequest {
  enum class Use : std::uint8_t { authority, server, client };
  Use use = Use::client;
  std::string commonName;
  std::vector<std::string> organizations;
  std::vector<std::string> dnsNames;
  std::vector<IpAddress> addresses;
  std::chrono::hours validity{24 * 365};
};

/// A new key and a certificate for it, valid from an hour ago (clocks differ), signed by
/// `authority`; self-signed if that is nullptr.
Result<KeyPair> make_certificate(const CertificateRequest &request, const KeyPair *authority,
                                 std::chrono::system_clock::time_point now);

struct CertificateFacts {
  std::string commonName;
  std::vector<std::string> dnsNames;
  std::vector<IpAddress> addresses;
  std::chrono::system_clock::time_point expires;
  bool signed_by_authority = false; ///< by the certificate given to `read_certificate`
};
Result<CertificateFacts> read_certificate(const std::string &pem, const std::string &authority);

} // namespace sluice::controlplane
