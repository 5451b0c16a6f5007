#pragma once
// Calls the built plugin as a container runtime does: one process a call, in a host namespace of
// its own, with pods that are namespaces of their own and a store in a temporary folder.

#include "cni/protocol/exec.hpp"
#include "ipam/tests/temp_folder.hpp"
#include "kernel/netns.hpp"

#include <map>
#include <string>

namespace sluice::cni {

class Driver {
public:
  Driver();

  /// The pod's namespace, made at the first call of its name.
  const kernel::NetNs &pod(const std::string &id);
  std::string netns_of(const std::string &id);
  /// Closes the namespace: it is gone, and its interfaces with it.
  void remove_pod(const std::string &id) { pods_.erase(id); }
  const kernel::NetNs &host() const { return host_; }

  /// A whole configuration: name "net", version 1.1.0, type "sluice", a store of this driver.
  std::string config(const std::string &members, const std::string &ipam) const;
  /// The usual one: dual stack, default gateway.
  std::string usual() const;

  /// The path of the program under one of its other names.
  std::string program(const std::string &name) const;

  /// Runs the program and returns its exit status and output. `variables` replace the usual ones.
  PluginRun call(Command command, const std::string &id, const std::string &config,
                 const Variables &variables = {}, const std::string &program = {});
  PluginRun add(const std::string &id) { return call(Command::add, id, usual()); }
  PluginRun del(const std::string &id) { return call(Command::del, id, usual()); }
  /// The environment of a call.
  Variables variables_of(Command command, const std::string &id);

  /// What a shell command prints in a namespace, both streams.
  static std::string shell(const kernel::NetNs &ns, const std::string &command);
  std::string on_host(const std::string &command) const { return shell(host_, command); }
  std::string in_pod(const std::string &id, const std::string &command) {
    return shell(pod(id), command);
  }

  std::string store() const { return temp_.path() + "/net"; }
  /// Reserved addresses only.
  std::string reserved() const;
  const TempFolder &folder() const { return temp_; }

private:
  TempFolder temp_;
  kernel::NetNs host_;
  std::map<std::string, kernel::NetNs> pods_;
};

/// `config` with the result of ADD as its prevResult.
std::string with_previous(const std::string &config, const std::string &result);

} // namespace sluice::cni
