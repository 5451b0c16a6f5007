#include "cli/cni_install.hpp"

#include "cni/program_names.hpp"
#include "net/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;

std::string in_quotes(const std::string &text) { return "\"" + text + "\""; }

Result<> write_all(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0)
      return fail(Error::from_errno(errno, "write"));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> copy(int from, int to) {
  std::vector<char> chunk(kChunkBytes);
  for (;;) {
    const auto got = ::read(from, chunk.data(), chunk.size());
    if (got < 0)
      return fail(Error::from_errno(errno, "read"));
    if (got == 0)
      break;
    SLUICE_TRY(write_all(to, {chunk.data(), static_cast<std::size_t>(got)}), "copy");
  }
  // The name must not be on disk before what it names.
  if (::fchmod(to, 0755) != 0 || ::fsync(to) != 0)
    return fail(Error::from_errno(errno, "finish"));
  return {};
}

/// A file that goes away unless it was renamed.
class Temporary {
public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  Temporary(const Temporary &) = delete;
  Temporary &operator=(const Temporary &) = delete;
  /// No matter if it is gone. After a rename onto a hard link of the same file it is not.
  ~Temporary() { ::unlink(path_.c_str()); }
  const std::string &path() const noexcept { return path_; }

private:
  std::string path_;
};

std::string temporary_path(const std::string &folder) {
  return folder + "/.sluice-" + std::to_string(::getpid());
}

Result<> copy_file(const std::string &program, const std::string &target) {
  const UniqueFd from(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from)
    return fail(Error::from_errno(errno, "open " + in_quotes(program)));
  const UniqueFd to(
      ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!to)
    return fail(Error::from_errno(errno, "create " + in_quotes(target)));
  return copy(from.get(), to.get());
}

Result<> give_name(const std::string &file, const std::string &folder, const std::string &name) {
  const auto target = folder + "/" + name;
  const Temporary link(temporary_path(folder) + "-" + name);
  ::unlink(link.path().c_str());
  if (::link(file.c_str(), link.path().c_str()) != 0 ||
      ::rename(link.path().c_str(), target.c_str()) != 0)
    return fail(Error::from_errno(errno, "rename to " + in_quotes(target)));
  return {};
}

} // namespace

std::vector<std::string> default_cni_names() { return {"sluice", "sluice-ipam"}; }

Result<std::vector<std::string>> parse_cni_names(const std::string &text) {
  std::vector<std::string> known;
  for (const auto &program : cni::kProgramNames)
    known.emplace_back(program.name);
  if (text == "all")
    return known;
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    names.push_back(text.substr(at, end - at));
    if (std::find(known.begin(), known.end(), names.back()) == known.end())
      return fail(Errc::invalid_input, in_quotes(names.back()) + " is no name of the CNI program");
    at = end + 1;
  }
  return names;
}

Result<> install_cni(const std::string &program, const std::string &folder,
                     const std::vector<std::string> &names) {
  const auto doing = "install " + in_quotes(program) + " in " + in_quotes(folder);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return fail(Error::from_errno(failed.value(), doing));
  const Temporary copied(temporary_path(folder));
  SLUICE_TRY(copy_file(program, copied.path()), doing);
  for (const auto &name : names)
    SLUICE_TRY(give_name(copied.path(), folder, name), doing);
  return {};
}

} // namespace sluice::cli
