// All that needs OpenSSL: certificates and signatures.
#include "controlplane/auth/certificate.hpp"
#include "controlplane/auth/signing_key.hpp"
#include "net/base64.hpp"

#include <ctime>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace sluice::controlplane {
namespace {

template <auto Fn> struct Free {
  template <class T> void operator()(T *handle) const noexcept { Fn(handle); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

/// "<doing>: <what OpenSSL says>"
Error failure(std::string_view doing) {
  char text[200] = "failed";
  if (const auto code = ERR_get_error(); code != 0)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return {Errc::invalid_input, std::string(doing) + ": " + text};
}

std::string contents(BIO *bio) {
  char *data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<Key> make_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key)
    return fail(failure("make an EC P-256 key"));
  return key;
}

Result<Key> parse_key(std::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!key)
    return fail(failure("read a private key"));
  return key;
}

Result<std::string> pem_of(EVP_PKEY *key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(failure("write a private key"));
  return contents(bio.get());
}

// ---- certificates ------------------------------------------------------------------------------

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

Result<std::string> pem_of(X509 *certificate) {
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
  SLUICE_ASSIGN(pair.certificate, pem_of(certificate.get()), "make a certificate");
  SLUICE_ASSIGN(pair.key, pem_of(key.get()), "make a certificate");
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

// ---- signatures --------------------------------------------------------------------------------

namespace {

constexpr int kHalf = 32; // bytes of r and of s, RFC 7518 3.4

const unsigned char *bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}

Result<std::string> sign(EVP_PKEY *key, std::string_view text) {
  const Digest digest(EVP_MD_CTX_new());
  std::size_t size = 0;
  std::string der;
  const auto init = EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key);
  if (init != 1 || EVP_DigestSign(digest.get(), nullptr, &size, bytes_of(text), text.size()) != 1)
    return fail(failure("sign a token"));
  der.resize(size);
  if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char *>(der.data()), &size,
                     bytes_of(text), text.size()) != 1)
    return fail(failure("sign a token"));
  const auto *position = bytes_of(der);
  const Signature signature(d2i_ECDSA_SIG(nullptr, &position, static_cast<long>(size)));
  std::string raw(2 * kHalf, '\0');
  auto *out = reinterpret_cast<unsigned char *>(raw.data());
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kHalf) != kHalf ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kHalf, kHalf) != kHalf)
    return fail(failure("sign a token"));
  return raw;
}

bool is_signed(EVP_PKEY *key, std::string_view text, std::string_view raw) {
  if (raw.size() != 2 * kHalf)
    return false;
  const Signature signature(ECDSA_SIG_new());
  auto *r = BN_bin2bn(bytes_of(raw), kHalf, nullptr);
  auto *s = BN_bin2bn(bytes_of(raw) + kHalf, kHalf, nullptr);
  ECDSA_SIG_set0(signature.get(), r, s); // takes r and s
  unsigned char *der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0)
    return false;
  const std::string encoded(reinterpret_cast<char *>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  const Digest digest(EVP_MD_CTX_new());
  const bool good = EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
                    EVP_DigestVerify(digest.get(), bytes_of(encoded), encoded.size(),
                                     bytes_of(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

/// A name for the key that changes with it.
Result<std::string> key_id(EVP_PKEY *key) {
  unsigned char *der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0)
    return fail(failure("name a key"));
  std::string hash(32, '\0');
  unsigned int length = 0;
  EVP_Digest(der, static_cast<std::size_t>(size), reinterpret_cast<unsigned char *>(hash.data()),
             &length, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return base64url_encode(hash);
}

} // namespace

struct SigningKey::Impl {
  Key key;
  std::string id;
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::SigningKey(SigningKey &&) noexcept = default;
SigningKey &SigningKey::operator=(SigningKey &&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::make() {
  auto impl = std::make_unique<Impl>();
  SLUICE_ASSIGN(impl->key, make_key(), "make a signing key");
  SLUICE_ASSIGN(impl->id, key_id(impl->key.get()), "make a signing key");
  return SigningKey(std::move(impl));
}

Result<SigningKey> SigningKey::parse(std::string_view pem) {
  auto impl = std::make_unique<Impl>();
  SLUICE_ASSIGN(impl->key, parse_key(pem), "read a signing key");
  SLUICE_ASSIGN(impl->id, key_id(impl->key.get()), "read a signing key");
  return SigningKey(std::move(impl));
}

Result<std::string> SigningKey::pem() const { return pem_of(impl_->key.get()); }
const std::string &SigningKey::id() const noexcept { return impl_->id; }

Result<std::string> SigningKey::sign(std::string_view text) const {
  return controlplane::sign(impl_->key.get(), text);
}

bool SigningKey::has_signed(std::string_view text, std::string_view signature) const {
  return is_signed(impl_->key.get(), text, signature);
}

} // namespace sluice::controlplane
