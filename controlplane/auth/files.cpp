#include "controlplane/auth/files.hpp"

#include "net/unique_fd.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace sluice::controlplane {

Result<std::string> read_file(const std::string &file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd)
    return fail(Error::from_errno(errno, "open \"" + file + "\""));
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto count = ::read(fd.get(), buffer, sizeof buffer);
    if (count < 0)
      return fail(Error::from_errno(errno, "read \"" + file + "\""));
    if (count == 0)
      return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

Result<> write_file(const std::string &file, std::string_view text, unsigned mode) {
  const auto draft = file + ".new";
  ::unlink(draft.c_str()); // what a killed writer has left; its mode may be another
  const UniqueFd fd(::open(draft.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode));
  if (!fd)
    return fail(Error::from_errno(errno, "create \"" + draft + "\""));
  while (!text.empty()) {
    const auto count = ::write(fd.get(), text.data(), text.size());
    if (count < 0)
      return fail(Error::from_errno(errno, "write \"" + draft + "\""));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0 || ::rename(draft.c_str(), file.c_str()) != 0)
    return fail(Error::from_errno(errno, "write \"" + file + "\""));
  return {};
}

} // namespace sluice::controlplane
