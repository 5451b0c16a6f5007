#pragma once

#include "net/result.hpp"

#include <string>

namespace sluice::kernel {

/// Kernel parameters of the calling thread's namespace, under /proc/sys. `name` is written with
/// slashes ("net/ipv4/conf/eth0/proxy_ndp"): interface names may hold dots. Thread-safe.
/// `root` is another folder in tests.
class Sysctl {
public:
  explicit Sysctl(std::string root = "/proc/sys") : root_(std::move(root)) {}
  /// Without the newline at the end. not_found if this kernel has no such parameter.
  Result<std::string> read(const std::string &name) const;
  /// Writes only if the value differs, so that a read-only /proc/sys that is right already is fine.
  Result<> write(const std::string &name, const std::string &value) const;
  /// Writes without looking.
  Result<> overwrite(const std::string &name, const std::string &value) const;

private:
  std::string root_;
};

} // namespace sluice::kernel
