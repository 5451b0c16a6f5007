#pragma once
// An EC P-256 key that signs with ES256 (RFC 7518, 3.4).

#include "net/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace sluice::controlplane {

/// Thread-safe after construction.
class SigningKey {
public:
  static Result<SigningKey> make();
  static Result<SigningKey> parse(std::string_view pem);
  SigningKey(SigningKey &&) noexcept;
  SigningKey &operator=(SigningKey &&) noexcept;
  ~SigningKey();

  Result<std::string> pem() const;
  /// A name that changes with the key.
  const std::string &id() const noexcept;
  /// 64 bytes: r and s.
  Result<std::string> sign(std::string_view text) const;
  bool has_signed(std::string_view text, std::string_view signature) const;

private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::controlplane
