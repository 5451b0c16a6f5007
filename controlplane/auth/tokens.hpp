#pragma once
// Tokens of service accounts: JWT (RFC 7519) signed with ES256 (RFC 7518, 3.4).

#include "net/result.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace sluice::controlplane {

struct TokenClaims {
  std::string namespace_, serviceAccount, serviceAccountUid;
  std::string pod, podUid; ///< empty: not bound to a pod
  std::vector<std::string> audiences;
  std::chrono::system_clock::time_point expires;
  std::string id; ///< jti; made by `issue`
};

/// Thread-safe after construction.
class TokenIssuer {
public:
  /// Reads the key from `file` (PEM); makes it (0600) if it does not exist.
  static Result<TokenIssuer> load_or_create(const std::string &file);
  TokenIssuer(TokenIssuer &&) noexcept;
  TokenIssuer &operator=(TokenIssuer &&) noexcept;
  ~TokenIssuer();

  Result<std::string> issue(TokenClaims claims, std::chrono::system_clock::time_point now) const;
  /// Signature, issuer, audience and times. no_permission says what is wrong.
  Result<TokenClaims> verify(std::string_view token,
                             std::chrono::system_clock::time_point now) const;

  static constexpr const char *kIssuer = "https://kubernetes.default.svc.cluster.local";

private:
  struct Impl;
  explicit TokenIssuer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::controlplane
