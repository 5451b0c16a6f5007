#include "cni/protocol/error.hpp"

#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

Code code_of(Errc code) noexcept {
  switch (code) {
  case Errc::invalid_input:
    return Code::invalid_config;
  case Errc::io:
    return Code::io;
  case Errc::already_exists:
    return Code::already_exists;
  case Errc::busy:
  case Errc::timeout:
  case Errc::unavailable:
  case Errc::exhausted:
    return Code::try_again;
  default:
    return Code::kernel;
  }
}

} // namespace

CniError::CniError(Error error) : CniError(code_of(error.code()), error.what()) {}

CniError &&CniError::in(std::string_view doing) && {
  message_.insert(0, std::string(doing) + ": ");
  return std::move(*this);
}

std::string CniError::str(const Version &version) const {
  nlohmann::ordered_json object = {
      {"cniVersion", version.str()}, {"code", code_}, {"msg", message_}};
  if (!details_.empty())
    object["details"] = details_;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace sluice::cni
