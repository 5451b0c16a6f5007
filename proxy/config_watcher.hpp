#pragma once
// Notices that the configuration file has another content.

#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace sluice::proxy {

/// Listens on a thread of its own, from `start` to destruction. It looks at the folder (an editor
/// or a mounted ConfigMap replaces the file or a link on the way to it) and at the file itself
/// (which may be a mount of its own). Calls back once things have been quiet for 100 ms and the
/// text differs from the last one seen; a file that is empty or cannot be read is not a change.
class ConfigWatcher {
public:
  using Callback = std::function<void()>;
  static Result<std::unique_ptr<ConfigWatcher>> start(std::string path, Callback callback);
  ~ConfigWatcher();

private:
  ConfigWatcher(std::string path, UniqueFd inotify, UniqueFd stop, Callback callback);
  void run();
  void watch_file();
  void look();

  std::string path_;
  UniqueFd inotify_, stop_;
  Callback callback_;
  std::string last_; ///< the text
  std::thread thread_;
};

} // namespace sluice::proxy
