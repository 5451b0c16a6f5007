#include "proxy/config_watcher.hpp"

#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace sluice::proxy {
namespace {

constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE |
                                   IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB | IN_MODIFY;
constexpr int kQuietMilliseconds = 100;

std::optional<std::string> text_of(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return std::nullopt;
  return text.str();
}

std::string folder_of(const std::string &path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

Result<std::unique_ptr<ConfigWatcher>> ConfigWatcher::start(std::string path, Callback callback) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify)
    return fail(Error::from_errno(errno, "watch files"));
  const auto folder = folder_of(path);
  if (::inotify_add_watch(inotify.get(), folder.c_str(), kChanges) < 0)
    return fail(Error::from_errno(errno, "watch folder \"" + folder + "\""));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop)
    return fail(Error::from_errno(errno, "make an eventfd"));
  return std::unique_ptr<ConfigWatcher>(
      new ConfigWatcher(std::move(path), std::move(inotify), std::move(stop), std::move(callback)));
}

ConfigWatcher::ConfigWatcher(std::string path, UniqueFd inotify, UniqueFd stop, Callback callback)
    : path_(std::move(path)), inotify_(std::move(inotify)), stop_(std::move(stop)),
      callback_(std::move(callback)), last_(text_of(path_).value_or("")) {
  watch_file();
  thread_ = std::thread([this] { run(); });
}

ConfigWatcher::~ConfigWatcher() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

/// A new file under the old name has to be watched anew; asking twice for the same is no harm.
void ConfigWatcher::watch_file() {
  (void)::inotify_add_watch(inotify_.get(), path_.c_str(), kChanges);
}

void ConfigWatcher::run() {
  bool pending = false;
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{stop_.get(), POLLIN, 0}, pollfd{inotify_.get(), POLLIN, 0}};
    const int ready = ::poll(fds.data(), fds.size(), pending ? kQuietMilliseconds : -1);
    if (fds[0].revents != 0)
      return;
    if (ready == 0) {
      pending = false;
      look();
      continue;
    }
    std::array<char, 4096> events{};
    while (::read(inotify_.get(), events.data(), events.size()) > 0)
      pending = true;
  }
}

void ConfigWatcher::look() {
  watch_file();
  auto text = text_of(path_);
  if (!text || text->empty() || *text == last_)
    return;
  last_ = std::move(*text);
  callback_();
}

} // namespace sluice::proxy
