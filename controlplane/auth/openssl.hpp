#pragma once
// OpenSSL's handles as values, for the two .cpp files that use it. Included by nothing else.

#include "net/result.hpp"

#include <memory>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string>
#include <string_view>

namespace sluice::controlplane::openssl {

template <auto Fn> struct Free {
  template <class T> void operator()(T *handle) const noexcept { Fn(handle); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

/// "<doing>: <what OpenSSL says>"
inline Error failure(std::string_view doing) {
  char text[200] = "failed";
  if (const auto code = ERR_get_error(); code != 0)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return {Errc::invalid_input, std::string(doing) + ": " + text};
}

inline std::string contents(BIO *bio) {
  char *data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

inline Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

inline Result<Key> make_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key)
    return fail(failure("make an EC P-256 key"));
  return key;
}

inline Result<Key> parse_key(std::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!key)
    return fail(failure("read a private key"));
  return key;
}

inline Result<std::string> to_pem(EVP_PKEY *key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(failure("write a private key"));
  return contents(bio.get());
}

} // namespace sluice::controlplane::openssl
