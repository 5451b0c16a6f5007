#pragma once
// A node with pods on a bridge, and a machine outside at 192.0.2.2 and 2001:db8::2; the node is
// 192.0.2.1 and 2001:db8::1.

#include "cni/portmap/tests/talk.hpp"
#include "cni/tests/driver.hpp"

namespace sluice::cni {

class PortmapNode {
public:
  PortmapNode();

  /// The network configuration of portmap with these members, for CNI 1.0.0 (Debian's newest).
  std::string config(const std::string &members, const std::string &mappings) const;
  /// Connects the pod with `sluice`; what ADD answered.
  std::string connect(const std::string &id);
  /// The same again.
  const std::string &connected(const std::string &id) const { return results_.at(id); }
  /// Calls portmap after the pod was connected.
  PluginRun call(Command command, const std::string &id, const std::string &config,
                 const std::string &program = {});
  PluginRun add(const std::string &id, const std::string &members, const std::string &mappings) {
    return call(Command::add, id, config(members, mappings));
  }
  /// As a runtime that has lost everything: no mappings, no prevResult, no namespace.
  PluginRun del(const std::string &id, const std::string &program = {});

  IpAddress ip_of(const std::string &id, Family family) const;
  const kernel::NetNs &outside() { return driver.pod("outside"); }
  std::string on_host(const std::string &command) const { return driver.on_host(command); }

  Driver driver;

private:
  std::map<std::string, std::string> results_;
};

} // namespace sluice::cni
