#include "controlplane/auth/tokens.hpp"

#include "controlplane/auth/files.hpp"
#include "controlplane/auth/openssl.hpp"
#include "controlplane/registry/metadata.hpp"
#include "controlplane/resources/access.hpp"
#include "net/base64.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using namespace openssl;
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

std::int64_t seconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::system_clock::to_time_t(time);
}

Error bad_token(std::string why) { return {Errc::no_permission, "token: " + std::move(why)}; }

json payload_of(const TokenClaims &claims, std::chrono::system_clock::time_point now) {
  json kubernetes = {
      {"namespace", claims.namespace_},
      {"serviceaccount", {{"name", claims.serviceAccount}, {"uid", claims.serviceAccountUid}}}};
  if (!claims.pod.empty())
    kubernetes["pod"] = {{"name", claims.pod}, {"uid", claims.podUid}};
  return {{"iss", TokenIssuer::kIssuer},
          {"sub", "system:serviceaccount:" + claims.namespace_ + ":" + claims.serviceAccount},
          {"aud", claims.audiences},
          {"exp", seconds_of(claims.expires)},
          {"iat", seconds_of(now)},
          {"nbf", seconds_of(now)},
          {"jti", claims.id},
          {"kubernetes.io", std::move(kubernetes)}};
}

TokenClaims claims_of(const json &payload) {
  // "kubernetes.io" holds a dot: one step at a time.
  const auto entry = payload.find("kubernetes.io");
  const json kubernetes = entry == payload.end() ? json::object() : *entry;
  TokenClaims claims;
  claims.namespace_ = text(kubernetes, "namespace");
  claims.serviceAccount = text(kubernetes, "serviceaccount.name");
  claims.serviceAccountUid = text(kubernetes, "serviceaccount.uid");
  claims.pod = text(kubernetes, "pod.name");
  claims.podUid = text(kubernetes, "pod.uid");
  claims.audiences = texts(payload, "aud");
  claims.id = text(payload, "jti");
  claims.expires = std::chrono::system_clock::from_time_t(number(payload, "exp"));
  return claims;
}

json decode_part(std::string_view part) {
  const auto bytes = base64_decode(part);
  auto document = json::parse(bytes ? *bytes : "", nullptr, false);
  return document.is_object() ? document : json::object();
}

} // namespace

struct TokenIssuer::Impl {
  Key key;
  std::string id;
};

TokenIssuer::TokenIssuer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenIssuer::TokenIssuer(TokenIssuer &&) noexcept = default;
TokenIssuer &TokenIssuer::operator=(TokenIssuer &&) noexcept = default;
TokenIssuer::~TokenIssuer() = default;

Result<TokenIssuer> TokenIssuer::load_or_create(const std::string &file) {
  auto impl = std::make_unique<Impl>();
  auto pem = read_file(file);
  if (!pem && pem.error().code() != Errc::not_found)
    return fail(pem.error());
  if (pem) {
    SLUICE_ASSIGN(impl->key, parse_key(*pem), "read the token key \"" + file + "\"");
  } else {
    SLUICE_ASSIGN(impl->key, make_key(), "make the token key");
    SLUICE_ASSIGN(const auto text, to_pem(impl->key.get()), "make the token key");
    SLUICE_TRY(write_private_file(file, text), "make the token key");
  }
  SLUICE_ASSIGN(impl->id, key_id(impl->key.get()), "name the token key");
  return TokenIssuer(std::move(impl));
}

Result<std::string> TokenIssuer::issue(TokenClaims claims,
                                       std::chrono::system_clock::time_point now) const {
  if (claims.audiences.empty())
    claims.audiences = {kIssuer};
  claims.id = new_uid();
  const json header = {{"alg", "ES256"}, {"kid", impl_->id}, {"typ", "JWT"}};
  auto token =
      base64url_encode(header.dump()) + "." + base64url_encode(dump(payload_of(claims, now)));
  SLUICE_ASSIGN(const auto signature, sign(impl_->key.get(), token), "issue a token");
  return token + "." + base64url_encode(signature);
}

Result<TokenClaims> TokenIssuer::verify(std::string_view token,
                                        std::chrono::system_clock::time_point now) const {
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == std::string_view::npos || first == last)
    return fail(bad_token("it is no JWT"));
  const json header = decode_part(token.substr(0, first));
  if (text(header, "alg") != "ES256" || text(header, "kid") != impl_->id)
    return fail(bad_token("it is signed with a key that is not ours"));
  const auto signature = base64_decode(token.substr(last + 1));
  if (!signature || !is_signed(impl_->key.get(), token.substr(0, last), *signature))
    return fail(bad_token("the signature does not fit"));
  const json payload = decode_part(token.substr(first + 1, last - first - 1));
  auto claims = claims_of(payload);
  if (text(payload, "iss") != kIssuer || std::find(claims.audiences.begin(), claims.audiences.end(),
                                                   kIssuer) == claims.audiences.end())
    return fail(bad_token("it is meant for somebody else"));
  if (number(payload, "nbf") > seconds_of(now) + 10 || claims.expires <= now)
    return fail(bad_token("it has expired or is not valid yet"));
  return claims;
}

} // namespace sluice::controlplane
