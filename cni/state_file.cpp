#include "cni/state_file.hpp"

#include "cni/protocol/exec.hpp"
#include "net/unique_fd.hpp"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

CniError failed(const char *doing, const std::string &file) {
  auto error = Error::from_errno(errno, std::string(doing) + " \"" + file + "\"");
  return {Code::io, error.what()};
}

Outcome<> make_folders(const std::string &path) {
  for (auto end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const auto folder = path.substr(0, end);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      return fail(failed("make folder", folder));
    if (end == std::string::npos)
      return {};
  }
}

struct CloseFolder {
  void operator()(DIR *folder) const noexcept { ::closedir(folder); }
};

} // namespace

Outcome<std::optional<std::string>> read_state(const std::string &file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT)
    return std::optional<std::string>{};
  if (!fd)
    return fail(failed("read", file));
  SLUICE_ASSIGN(auto text, read_to_end(fd.get()), "read \"" + file + "\"");
  return std::optional<std::string>(std::move(text));
}

Outcome<> save_state(const std::string &folder, const std::string &name, std::string_view text) {
  SLUICE_PASS(make_folders(folder));
  const auto file = folder + "/" + name, unfinished = folder + "/." + name + ".new";
  const UniqueFd fd(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd)
    return fail(failed("write", unfinished));
  SLUICE_TRY(write_all(fd.get(), text), "write \"" + unfinished + "\"");
  if (::rename(unfinished.c_str(), file.c_str()) != 0)
    return fail(failed("write", file));
  return {};
}

Outcome<> remove_state(const std::string &file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
    return fail(failed("remove", file));
  return {};
}

std::vector<std::string> states_in(const std::string &path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  while (const auto *entry = folder ? ::readdir(folder.get()) : nullptr)
    if (entry->d_name[0] != '.')
      names.emplace_back(entry->d_name);
  return names;
}

} // namespace sluice::cni
