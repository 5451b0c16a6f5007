#pragma once
// The error object of the CNI protocol (CNI SPEC 1.1 §5 "Error"), and the Result that carries it.

#include "cni/protocol/version.hpp"
#include "net/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::cni {

/// 1..99 are the specification's; from 100 on they are ours (docs/cni.md lists both).
enum class Code : std::uint16_t {
  incompatible_version = 1,
  unsupported_field = 2,
  unknown_container = 3,
  bad_environment = 4,
  io = 5,
  decode = 6,
  invalid_config = 7,
  invalid_netns = 8, ///< of the reference plugins: CNI_NETNS is the host's own namespace
  try_again = 11,
  unavailable = 50,          ///< STATUS: no new pod can be added
  limited_connectivity = 51, ///< STATUS: and pods that exist suffer too
  kernel = 100,              ///< the kernel refused
  already_exists = 101,      ///< the interface or the reservation exists and must not
  check_failed = 102,        ///< CHECK: what is there differs from the result
  address_unavailable = 103, ///< a requested address is taken, reserved or in no range
};

/// What a plugin answers when it fails. `message` says what was attempted and what went wrong;
/// `details` what helps to repair it (may be empty).
class CniError {
public:
  CniError(Code code, std::string message, std::string details = {})
      : CniError(static_cast<unsigned>(code), std::move(message), std::move(details)) {}
  /// A code that came from another plugin is kept as it is.
  CniError(unsigned code, std::string message, std::string details = {})
      : code_(code), message_(std::move(message)), details_(std::move(details)) {}
  /// An error of the layers below, with the code that fits: invalid_input is 7, io is 5, what may
  /// pass (busy, timeout, unavailable, exhausted) is 11, everything else 100. Implicit, so that
  /// SLUICE_TRY works in functions that return an Outcome.
  CniError(Error error);

  unsigned code() const noexcept { return code_; }
  bool is(Code code) const noexcept { return code_ == static_cast<unsigned>(code); }
  const std::string &message() const noexcept { return message_; }
  const std::string &details() const noexcept { return details_; }
  /// Puts "<doing>: " before the message.
  CniError &&in(std::string_view doing) &&;

  /// The JSON object that goes to stdout.
  std::string str(const Version &version) const;

private:
  unsigned code_;
  std::string message_, details_;
};

/// `Result` with the error of the protocol. SLUICE_TRY and SLUICE_ASSIGN work with both.
template <class T = void> class [[nodiscard]] Outcome : public tl::expected<T, CniError> {
public:
  using tl::expected<T, CniError>::expected;
};

} // namespace sluice::cni

namespace sluice {
inline tl::unexpected<cni::CniError> fail(cni::CniError error) {
  return tl::unexpected<cni::CniError>(std::move(error));
}
inline tl::unexpected<cni::CniError> fail(cni::Code code, std::string message,
                                          std::string details = {}) {
  return tl::unexpected<cni::CniError>(cni::CniError(code, std::move(message), std::move(details)));
}

/// SLUICE_TRY and SLUICE_ASSIGN for an error that already names its key and value.
#define SLUICE_PASS(expr)                                                                          \
  do {                                                                                             \
    auto sluice_result_ = (expr);                                                                  \
    if (!sluice_result_)                                                                           \
      return ::sluice::fail(std::move(sluice_result_.error()));                                    \
  } while (false)
#define SLUICE_TAKE(declaration, expr)                                                             \
  auto SLUICE_CONCAT(sluice_result_, __LINE__) = (expr);                                           \
  if (!SLUICE_CONCAT(sluice_result_, __LINE__))                                                    \
    return ::sluice::fail(std::move(SLUICE_CONCAT(sluice_result_, __LINE__).error()));             \
  declaration = std::move(*SLUICE_CONCAT(sluice_result_, __LINE__))

} // namespace sluice
