#pragma once
// One plugin in a host namespace of its own, called as a runtime calls it.

#include "cni/protocol/exec.hpp"
#include "kernel/netns.hpp"

#include <string>

namespace sluice::bench {

class Contender {
public:
  /// `kind` is "sluice" (our binary and its own IPAM) or "debian" (bridge and host-local of
  /// containernetworking-plugins). Ends the program if something is missing.
  Contender(const std::string &kind, bool masquerade);
  ~Contender();
  Contender(const Contender &) = delete;
  Contender &operator=(const Contender &) = delete;

  const std::string &name() const noexcept { return name_; }
  struct Added {
    double microseconds;
    std::string output;
  };
  /// From before the start of the process to after its end. A failure ends the program.
  Added add(const kernel::NetNs &pod);
  double del(const kernel::NetNs &pod, const std::string &result);
  /// "52 | 4": system calls and netlink messages of one ADD, or why they are not known.
  std::string count_calls();

private:
  Added call(const std::string &program, cni::Command command, const kernel::NetNs &pod,
             const std::string &config);
  std::string name_, program_, config_, folder_;
  kernel::NetNs host_;
};

} // namespace sluice::bench
