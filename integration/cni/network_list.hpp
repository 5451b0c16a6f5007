#pragma once
// A network of several plugins, called as a container runtime calls them (CNI SPEC 1.1 §3): ADD in
// order, each with the result of the one before, CHECK with the last result, DEL in reverse;
// results are kept, runtimeConfig has only what the plugin declares.

#include "integration/cni/cases.hpp"

#include <optional>

namespace sluice::integration {

class NetworkList {
public:
  /// `list` is a configuration list, or a single configuration, which becomes a list of one.
  /// `capability_args` is a JSON object.
  NetworkList(Runtime &runtime, const std::string &list, std::string capability_args = "{}");

  /// The last plugin's result. Stops at the first failure, and takes back what was done.
  PluginRun add(const std::string &id);
  /// Without the kept result if the version is older than 0.4.0, or if it does not read.
  PluginRun del(const std::string &id);
  PluginRun check(const std::string &id);
  PluginRun status();
  /// DEL of what is kept and not valid, then GC of every plugin, to the end; the first failure.
  PluginRun gc(const std::vector<std::string> &valid);

  /// The kept result, to be damaged.
  std::map<std::string, std::string> kept;
  /// Plugins that were run, by type, since the start.
  std::vector<std::string> calls;
  /// For a GC without the key of valid attachments.
  bool sends_valid_attachments = true;

private:
  struct Plugin {
    std::string type, config;
  };
  PluginRun call(Command command, const Plugin &plugin, const std::string &id,
                 const std::string &previous, const std::string &more = {});
  PluginRun del_all(const std::string &id, std::size_t count);

  Runtime &runtime_;
  std::string version_;
  bool disable_check_ = false, disable_gc_ = false;
  std::vector<Plugin> plugins_;
};

} // namespace sluice::integration
