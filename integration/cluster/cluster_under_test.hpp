#pragma once
// One cluster of namespaces for a suite of tests, driven from outside: by sluicectl and kubectl.

#include "integration/shell.hpp"

#include <string>

namespace sluice::integration {

class ClusterUnderTest {
public:
  /// Does nothing yet.
  ClusterUnderTest(std::string name, unsigned nodes);
  ~ClusterUnderTest();

  /// Empty if it stands; else what went wrong.
  std::string create();
  std::string remove();

  /// `sluicectl <arguments>` of the build under test.
  Output sluicectl(const std::string &arguments,
                   std::chrono::seconds deadline = std::chrono::seconds(60)) const;
  /// `kubectl_program` with this cluster's kubeconfig and a home folder of its own (it caches what
  /// the server serves).
  Output kubectl(const std::string &arguments, const std::string &stdin_text = "") const;
  /// A shell command inside a node ("node1") or a pod ("pod/web-1").
  Output in(const std::string &target, const std::string &command,
            std::chrono::seconds deadline = std::chrono::seconds(30)) const;
  /// A command of the shell that runs `command` inside `target`, for `Background`.
  std::string entering(const std::string &target, const std::string &command) const;

  const std::string &name() const noexcept { return name_; }

private:
  std::string name_;
  unsigned nodes_;
  std::string home_, kubeconfig_;
};

} // namespace sluice::integration
