#include "kernel/files.hpp"

#include "net/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace sluice::kernel {
namespace fs = std::filesystem;

namespace {

std::string quoted(const std::string &path) { return "\"" + path + "\""; }

Result<> write_all(int fd, std::string_view text, const std::string &doing) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR)
      return fail(Error::from_errno(errno, doing));
    if (written > 0)
      text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

} // namespace

Result<> make_folder(const std::string &path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0)
    return fail(Error::from_errno(errno, "make folder " + quoted(path)));
  return {};
}

Result<> make_folders(const std::string &path, mode_t mode) {
  if (const auto slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    struct stat parent {};
    const auto above = path.substr(0, slash);
    if (::stat(above.c_str(), &parent) != 0)
      if (auto made = make_folders(above); !made)
        return made;
  }
  auto made = make_folder(path, mode);
  if (!made && made.error().code() == Errc::already_exists)
    return {};
  return made;
}

Result<std::string> read_file(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd)
    return fail(Error::from_errno(errno, "read " + quoted(path)));
  std::string text;
  char buffer[8192];
  for (;;) {
    const auto got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno != EINTR)
      return fail(Error::from_errno(errno, "read " + quoted(path)));
    if (got == 0)
      return text;
    if (got > 0)
      text.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<> write_file(const std::string &path, std::string_view text, mode_t mode) {
  const auto doing = "write " + quoted(path);
  const auto temporary = path + ".new";
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd)
    return fail(Error::from_errno(errno, doing));
  if (auto written = write_all(fd.get(), text, doing); !written)
    return written;
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return fail(Error::from_errno(errno, doing));
  return {};
}

Result<> remove_tree(const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error)
    return fail(Error::from_errno(error.value(), "remove " + quoted(path)));
  return {};
}

void remove_folder_if_empty(const std::string &path) { ::rmdir(path.c_str()); }

std::vector<std::string> names_in(const std::string &folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    names.push_back(entry->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

} // namespace sluice::kernel
