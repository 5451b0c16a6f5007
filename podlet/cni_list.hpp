#pragma once
// The runtime's side of CNI (SPEC 1.1 §3 and §4): reads a network configuration list and runs its
// plugins for a pod, as containerd does.

#include "net/ip_address.hpp"
#include "net/result.hpp"

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace sluice::podlet {

/// One plugin of a list: its program and its configuration as JSON text.
struct CniPlugin {
  std::string type, config;
};
struct NetworkList {
  std::string name, cni_version;
  bool disable_check = false;
  std::vector<CniPlugin> plugins;
};

/// From the text of a .conflist, or of a .conf with a single plugin. Pure. Errors: invalid_input,
/// naming the member.
Result<NetworkList> parse_network_list(std::string_view text);
/// The text of a list again, so that DEL is run with what ADD was run with.
std::string to_text(const NetworkList &list);

/// The first file in `folder` by name that ends in .conflist, .conf or .json. Errors: not_found if
/// there is none; invalid_input naming the file.
Result<NetworkList> load_network_list(const std::string &folder);

/// Who is to be attached.
struct Attachment {
  std::string container_id, netns, interface = "eth0";
  std::string pod_namespace, pod_name, pod_uid;
};
/// "IgnoreUnknown=1;K8S_POD_NAMESPACE=...": the five arguments that runtimes send. Pure.
std::string cni_args(const Attachment &attachment);

/// A plugin's configuration as it is given to it: with name and version of the list and, if not
/// empty, the previous result. Pure.
std::string plugin_input(const NetworkList &list, const CniPlugin &plugin,
                         const std::string &previous_result);

/// The addresses in a result of any version since 0.2.0; empty if there are none. Pure.
std::vector<IpAddress> addresses_in(std::string_view result);

/// Runs the plugins found in `bin_folders` (searched in order). Thread-safe.
class CniRunner {
public:
  explicit CniRunner(std::vector<std::string> bin_folders) : bin_folders_(std::move(bin_folders)) {}

  /// ADD of every plugin in order, each with the result of the one before. The result of the last.
  /// After a failure DEL is run for all. Errors carry the plugin's own code and text.
  Result<std::string> add(const NetworkList &list, const Attachment &attachment) const;
  /// CHECK of every plugin with the result of ADD; nothing if the list says disableCheck or its
  /// version has no CHECK.
  Result<> check(const NetworkList &list, const Attachment &attachment,
                 const std::string &result) const;
  /// DEL in reverse order; goes on after an error and answers with the first. `result` may be
  /// empty. Fine if there is nothing to undo.
  Result<> remove(const NetworkList &list, const Attachment &attachment,
                  const std::string &result) const;

private:
  Result<std::string> run(const std::string &command, const NetworkList &list,
                          const CniPlugin &plugin, const Attachment &attachment,
                          const std::string &previous_result) const;
  Result<std::string> find(const std::string &type) const;
  std::vector<std::string> bin_folders_;
};

} // namespace sluice::podlet
