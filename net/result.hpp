#pragma once
// Errors as values. `Result<T>` is either a T or an Error; it must be looked at ([[nodiscard]]).
// The error text reads from the outermost intent to what the kernel said:
//   "program node routes: add route 10.1.2.0/24 via 10.9.9.9 (kernel: Nexthop has invalid gateway):
//   Network is unreachable"

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace sluice {

/// What a caller may branch on. Everything else in an Error is for people.
enum class Errc : std::uint8_t {
  invalid_input,  ///< the caller's data is wrong; trying again cannot help
  not_found,      ///< the object named does not exist
  already_exists, ///< the object named exists and must not
  conflict,       ///< somebody else changed the object first (HTTP 409, ESTALE)
  busy,           ///< in use or locked now; trying again may help
  no_permission,  ///< EPERM, EACCES, HTTP 401 and 403
  unsupported,    ///< this kernel or server cannot do it
  exhausted,      ///< a pool or a table is full
  unavailable,    ///< the peer cannot be reached now; trying again may help
  expired,        ///< the history asked for is gone (HTTP 410); list again
  timeout,        ///< a deadline passed
  io,             ///< reading or writing a file, pipe or socket failed
  kernel,         ///< the kernel refused for a reason with no code of its own here
};

/// The lower-case name of a code, for logs and JSON ("not_found").
std::string_view name_of(Errc code) noexcept;

class Error {
public:
  Error(Errc code, std::string what) : code_(code), what_(std::move(what)) {}

  /// From an errno value (positive). The message is "<doing>: <strerror>"; the code follows the
  /// errno (ENOENT, ESRCH, ENODEV -> not_found; EEXIST -> already_exists; EPERM, EACCES ->
  /// no_permission; ...).
  static Error from_errno(int err, std::string_view doing);

  Errc code() const noexcept { return code_; }
  /// The errno that caused this, or 0 if none was involved.
  int sys() const noexcept { return sys_; }
  const std::string &what() const noexcept { return what_; }
  /// Puts "<doing>: " before the message.
  Error &&in(std::string_view doing) &&;

private:
  Errc code_;
  int sys_ = 0;
  std::string what_;
};

template <class T = void> class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
  using tl::expected<T, Error>::expected;
};

/// `return fail(Error(...))` or `return fail(Errc::not_found, "no such thing")`.
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail(Errc code, std::string what) {
  return tl::unexpected<Error>(Error(code, std::move(what)));
}

#define SLUICE_CONCAT_(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_(a, b)

/// Evaluates a Result<>; on an error returns it from the enclosing function with "<doing>: " before
/// it.
#define SLUICE_TRY(expr, doing)                                                                    \
  do {                                                                                             \
    auto sluice_result_ = (expr);                                                                  \
    if (!sluice_result_)                                                                           \
      return ::sluice::fail(std::move(sluice_result_.error()).in(doing));                          \
  } while (false)

/// `SLUICE_ASSIGN(auto value, expr, "doing x")`: declares value from a Result, or returns its
/// error.
#define SLUICE_ASSIGN(declaration, expr, doing)                                                    \
  auto SLUICE_CONCAT(sluice_result_, __LINE__) = (expr);                                           \
  if (!SLUICE_CONCAT(sluice_result_, __LINE__))                                                    \
    return ::sluice::fail(std::move(SLUICE_CONCAT(sluice_result_, __LINE__).error()).in(doing));   \
  declaration = std::move(*SLUICE_CONCAT(sluice_result_, __LINE__))

} // namespace sluice
