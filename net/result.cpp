#include "net/result.hpp"

#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

Errc code_of(int err) noexcept {
  switch (err) {
  case EINVAL:
  case ERANGE:
  case ENAMETOOLONG:
    return Errc::invalid_input;
  case ENOENT:
  case ESRCH:
  case ENODEV:
  case ENXIO:
    return Errc::not_found;
  case EEXIST:
    return Errc::already_exists;
  case EBUSY:
  case EAGAIN:
  case EINTR:
    return Errc::busy;
  case EPERM:
  case EACCES:
    return Errc::no_permission;
  case EOPNOTSUPP:
  case ENOSYS:
  case EAFNOSUPPORT:
  case EPROTONOSUPPORT:
    return Errc::unsupported;
  case ENOSPC:
  case ENOMEM:
  case ENOBUFS:
  case EMFILE:
  case ENFILE:
    return Errc::exhausted;
  case ECONNREFUSED:
  case ECONNRESET:
  case EPIPE:
  case ENETUNREACH:
  case EHOSTUNREACH:
    return Errc::unavailable;
  case ETIMEDOUT:
    return Errc::timeout;
  case EIO:
    return Errc::io;
  default:
    return Errc::kernel;
  }
}

} // namespace

std::string_view name_of(Errc code) noexcept {
  switch (code) {
  case Errc::invalid_input:
    return "invalid_input";
  case Errc::not_found:
    return "not_found";
  case Errc::already_exists:
    return "already_exists";
  case Errc::conflict:
    return "conflict";
  case Errc::busy:
    return "busy";
  case Errc::no_permission:
    return "no_permission";
  case Errc::unsupported:
    return "unsupported";
  case Errc::exhausted:
    return "exhausted";
  case Errc::unavailable:
    return "unavailable";
  case Errc::expired:
    return "expired";
  case Errc::timeout:
    return "timeout";
  case Errc::io:
    return "io";
  case Errc::kernel:
    return "kernel";
  }
  return "unknown";
}

Error Error::from_errno(int err, std::string_view doing) {
  const char *text = ::strerrordesc_np(err);
  Error error(code_of(err), std::string(doing) + ": " +
                                (text ? std::string(text) : "errno " + std::to_string(err)));
  error.sys_ = err;
  return error;
}

Error &&Error::in(std::string_view doing) && {
  what_.insert(0, std::string(doing) + ": ");
  return std::move(*this);
}

} // namespace sluice
