#include "controlplane/auth/tokens.hpp"

#include "controlplane/auth/files.hpp"
#include "controlplane/auth/signing_key.hpp"
#include "controlplane/registry/metadata.hpp"
#include "controlplane/resources/access.hpp"
#include "net/base64.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

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
  SigningKey key;
};

TokenIssuer::TokenIssuer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenIssuer::TokenIssuer(TokenIssuer &&) noexcept = default;
TokenIssuer &TokenIssuer::operator=(TokenIssuer &&) noexcept = default;
TokenIssuer::~TokenIssuer() = default;

namespace {

Result<SigningKey> load_or_make(const std::string &file) {
  const auto pem = read_file(file);
  if (pem)
    return SigningKey::parse(*pem);
  if (pem.error().code() != Errc::not_found)
    return fail(pem.error());
  SLUICE_ASSIGN(auto key, SigningKey::make(), "make the token key");
  SLUICE_ASSIGN(const auto text, key.pem(), "make the token key");
  SLUICE_TRY(write_private_file(file, text), "make the token key");
  return key;
}

} // namespace

Result<TokenIssuer> TokenIssuer::load_or_create(const std::string &file) {
  SLUICE_ASSIGN(auto key, load_or_make(file), "token key \"" + file + "\"");
  return TokenIssuer(std::make_unique<Impl>(Impl{std::move(key)}));
}

Result<std::string> TokenIssuer::issue(TokenClaims claims,
                                       std::chrono::system_clock::time_point now) const {
  if (claims.audiences.empty())
    claims.audiences = {kIssuer};
  claims.id = new_uid();
  const json header = {{"alg", "ES256"}, {"kid", impl_->key.id()}, {"typ", "JWT"}};
  auto token =
      base64url_encode(header.dump()) + "." + base64url_encode(dump(payload_of(claims, now)));
  SLUICE_ASSIGN(const auto signature, impl_->key.sign(token), "issue a token");
  return token + "." + base64url_encode(signature);
}

Result<TokenClaims> TokenIssuer::verify(std::string_view token,
                                        std::chrono::system_clock::time_point now) const {
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == std::string_view::npos || first == last)
    return fail(bad_token("it is no JWT"));
  const json header = decode_part(token.substr(0, first));
  if (text(header, "alg") != "ES256" || text(header, "kid") != impl_->key.id())
    return fail(bad_token("it is signed with a key that is not ours"));
  const auto signature = base64_decode(token.substr(last + 1));
  if (!signature || !impl_->key.has_signed(token.substr(0, last), *signature))
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
