#include "controlplane/auth/pki.hpp"

#include "controlplane/auth/files.hpp"
#include "net/base64.hpp"

#include <algorithm>
#include <filesystem>

namespace sluice::controlplane {
namespace {

using Time = std::chrono::system_clock::time_point;
constexpr std::chrono::hours kRenewBefore{24 * 30};
constexpr std::chrono::hours kAuthorityValidity{24 * 3650};

Pki at_folder(const std::string &folder) {
  Pki pki;
  pki.folder = folder;
  pki.authorityFile = folder + "/ca.crt";
  pki.certificateFile = folder + "/apiserver.crt";
  pki.keyFile = folder + "/apiserver.key";
  return pki;
}

/// The key first: a certificate without its key must never be found.
Result<> write_pair(const KeyPair &pair, const std::string &certificate_file,
                    const std::string &key_file) {
  SLUICE_TRY(write_private_file(key_file, pair.key), "write a key");
  return write_file(certificate_file, pair.certificate, 0644);
}

Result<KeyPair> read_pair(const std::string &certificate_file, const std::string &key_file) {
  KeyPair pair;
  SLUICE_ASSIGN(pair.certificate, read_file(certificate_file), "read a certificate");
  SLUICE_ASSIGN(pair.key, read_file(key_file), "read a key");
  return pair;
}

Result<KeyPair> ensure_authority(const Pki &pki, Time now) {
  const auto key_file = pki.folder + "/ca.key";
  auto pair = read_pair(pki.authorityFile, key_file);
  if (pair || pair.error().code() != Errc::not_found)
    return pair;
  CertificateRequest request;
  request.use = CertificateRequest::Use::authority;
  request.commonName = "sluice-ca";
  request.validity = kAuthorityValidity;
  SLUICE_ASSIGN(auto made, make_certificate(request, nullptr, now), "make the CA");
  SLUICE_TRY(write_pair(made, pki.authorityFile, key_file), "make the CA");
  return made;
}

template <class T> std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

bool still_good(const Pki &pki, const CertificateRequest &wanted, Time now) {
  const auto pair = read_pair(pki.certificateFile, pki.keyFile);
  if (!pair)
    return false;
  const auto facts = read_certificate(pair->certificate, pki.authority.certificate);
  return facts && facts->signed_by_authority && facts->expires > now + kRenewBefore &&
         sorted(facts->dnsNames) == wanted.dnsNames && sorted(facts->addresses) == wanted.addresses;
}

} // namespace

Result<Pki> Pki::ensure(const std::string &folder, const std::vector<std::string> &dnsNames,
                        const std::vector<IpAddress> &addresses, Time now) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fail(Error::from_errno(error.value(), "create \"" + folder + "\""));
  auto pki = at_folder(folder);
  SLUICE_ASSIGN(pki.authority, ensure_authority(pki, now), "prepare \"" + folder + "\"");
  CertificateRequest request;
  request.use = CertificateRequest::Use::server;
  request.commonName = "kube-apiserver";
  request.dnsNames = sorted(dnsNames);
  request.addresses = sorted(addresses);
  if (still_good(pki, request, now))
    return pki;
  SLUICE_ASSIGN(const auto pair, make_certificate(request, &pki.authority, now),
                "make the server's certificate");
  SLUICE_TRY(write_pair(pair, pki.certificateFile, pki.keyFile), "make the server's certificate");
  return pki;
}

Result<Pki> Pki::load(const std::string &folder) {
  auto pki = at_folder(folder);
  SLUICE_ASSIGN(pki.authority, read_pair(pki.authorityFile, folder + "/ca.key"),
                "read the CA (has sluice-controlplane run with this --data-dir?)");
  return pki;
}

Result<std::string> make_kubeconfig(const Pki &pki, const std::string &user,
                                    const std::vector<std::string> &groups,
                                    const std::string &server, Time now) {
  CertificateRequest request;
  request.commonName = user;
  request.organizations = groups;
  SLUICE_ASSIGN(const auto pair, make_certificate(request, &pki.authority, now),
                "make a certificate for \"" + user + "\"");
  return "apiVersion: v1\n"
         "kind: Config\n"
         "clusters:\n"
         "- name: sluice\n"
         "  cluster:\n"
         "    server: \"" +
         server +
         "\"\n"
         "    certificate-authority-data: " +
         base64_encode(pki.authority.certificate) +
         "\n"
         "users:\n"
         "- name: \"" +
         user +
         "\"\n"
         "  user:\n"
         "    client-certificate-data: " +
         base64_encode(pair.certificate) +
         "\n"
         "    client-key-data: " +
         base64_encode(pair.key) +
         "\n"
         "contexts:\n"
         "- name: sluice\n"
         "  context:\n"
         "    cluster: sluice\n"
         "    user: \"" +
         user +
         "\"\n"
         "current-context: sluice\n";
}

} // namespace sluice::controlplane
