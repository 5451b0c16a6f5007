#include "kernel/sysctl.hpp"

#include "net/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>

namespace sluice::kernel {

Result<std::string> Sysctl::read(const std::string &name) const {
  const auto doing = "read sysctl \"" + name + "\"";
  const UniqueFd fd(::open((root_ + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  std::array<char, 4096> buffer{};
  const auto got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got < 0)
    return fail(Error::from_errno(errno, doing));
  std::string value(buffer.data(), static_cast<std::size_t>(got));
  if (!value.empty() && value.back() == '\n')
    value.pop_back();
  return value;
}

Result<> Sysctl::write(const std::string &name, const std::string &value) const {
  if (const auto now = read(name); now && *now == value)
    return {};
  return overwrite(name, value);
}

Result<> Sysctl::overwrite(const std::string &name, const std::string &value) const {
  const auto doing = "set sysctl \"" + name + "\" to \"" + value + "\"";
  const UniqueFd fd(::open((root_ + "/" + name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail(Error::from_errno(errno, doing));
  return {};
}

} // namespace sluice::kernel
