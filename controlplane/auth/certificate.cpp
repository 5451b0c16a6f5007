#include "controlplane/auth/certificate.hpp"

#include "controlplane/auth/openssl.hpp"

#include <ctime>
#include <openssl/rand.h>

namespace sluice::controlplane {
namespace {

using namespace openssl;
using Time = std::chrono::system_clock::time_point;
using Use = CertificateRequest::Use;
using Serial = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

Result<Certificate> parse_certificate(std::string_view pem) {
  Certificate certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!certificate)
    return fail(failure("read a certificate"));
  return certificate;
}

bool add_name(X509_NAME *name, const char *field, const std::string &value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char *>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool add_extension(X509 *certificate, X509 *issuer, int id, const std::string &value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string alternative_names(const CertificateRequest &request) {
  std::string text;
  const auto add = [&text](const std::string &entry) { text += (text.empty() ? "" : ",") + entry; };
  for (const auto &name : request.dnsNames)
    add("DNS:" + name);
  for (const auto &address : request.addresses)
    add("IP:" + address.str());
  return text;
}

bool add_extensions(X509 *certificate, X509 *issuer, const CertificateRequest &request) {
  const bool authority = request.use == Use::authority;
  bool good = add_extension(certificate, issuer, NID_basic_constraints,
                            authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
              add_extension(certificate, issuer, NID_key_usage,
                            authority ? "critical,digitalSignature,keyCertSign"
                                      : "critical,digitalSignature") &&
              add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  if (!authority)
    good = good &&
           add_extension(certificate, issuer, NID_ext_key_usage,
                         request.use == Use::server ? "serverAuth" : "clientAuth") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
  const auto names = alternative_names(request);
  return good && (names.empty() || add_extension(certificate, issuer, NID_subject_alt_name, names));
}

bool set_serial(X509 *certificate) {
  const Serial number(BN_new());
  return number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_times(X509 *certificate, Time now, std::chrono::hours validity) {
  const auto from = std::chrono::system_clock::to_time_t(now - std::chrono::hours(1));
  const auto to = std::chrono::system_clock::to_time_t(now + validity);
  return ASN1_TIME_set(X509_getm_notBefore(certificate), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), to) != nullptr;
}

bool set_subject(X509 *certificate, const CertificateRequest &request) {
  auto *name = X509_get_subject_name(certificate);
  bool good = true;
  for (const auto &organization : request.organizations)
    good = good && add_name(name, "O", organization);
  return good && add_name(name, "CN", request.commonName);
}

Result<std::string> to_pem(X509 *certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1)
    return fail(failure("write a certificate"));
  return contents(bio.get());
}

} // namespace

Result<KeyPair> make_certificate(const CertificateRequest &request, const KeyPair *authority,
                                 Time now) {
  SLUICE_ASSIGN(const auto key, make_key(), "make a certificate");
  const Certificate certificate(X509_new());
  Certificate issuer;
  Key issuer_key;
  if (authority) {
    SLUICE_ASSIGN(issuer, parse_certificate(authority->certificate), "read the CA");
    SLUICE_ASSIGN(issuer_key, parse_key(authority->key), "read the CA");
  }
  auto *above = issuer ? issuer.get() : certificate.get();
  const bool good =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(certificate.get()) &&
      set_times(certificate.get(), now, request.validity) &&
      set_subject(certificate.get(), request) &&
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(above)) == 1 &&
      X509_set_pubkey(certificate.get(), key.get()) == 1 &&
      add_extensions(certificate.get(), above, request) &&
      X509_sign(certificate.get(), issuer_key ? issuer_key.get() : key.get(), EVP_sha256()) > 0;
  if (!good)
    return fail(failure("make a certificate for \"" + request.commonName + "\""));
  KeyPair pair;
  SLUICE_ASSIGN(pair.certificate, to_pem(certificate.get()), "make a certificate");
  SLUICE_ASSIGN(pair.key, openssl::to_pem(key.get()), "make a certificate");
  return pair;
}

namespace {

void read_names(X509 *certificate, CertificateFacts &facts) {
  using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
  const Names names(static_cast<GENERAL_NAMES *>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto *name = sk_GENERAL_NAME_value(names.get(), i);
    const auto *text = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    if (name->type != GEN_DNS && name->type != GEN_IPADD)
      continue;
    const auto *bytes = ASN1_STRING_get0_data(text);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(text));
    if (name->type == GEN_DNS)
      facts.dnsNames.emplace_back(reinterpret_cast<const char *>(bytes), size);
    else if (size == 4 || size == 16)
      facts.addresses.push_back(IpAddress::from_bytes({bytes, size}));
  }
}

} // namespace

Result<CertificateFacts> read_certificate(const std::string &pem, const std::string &authority) {
  SLUICE_ASSIGN(const auto certificate, parse_certificate(pem), "read a certificate");
  SLUICE_ASSIGN(const auto issuer, parse_certificate(authority), "read the CA");
  CertificateFacts facts;
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                            sizeof name);
  facts.commonName = name;
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &time) != 1)
    return fail(failure("read a certificate's end"));
  facts.expires = std::chrono::system_clock::from_time_t(::timegm(&time));
  read_names(certificate.get(), facts);
  facts.signed_by_authority = X509_verify(certificate.get(), X509_get0_pubkey(issuer.get())) == 1;
  ERR_clear_error();
  return facts;
}

} // namespace sluice::controlplane
