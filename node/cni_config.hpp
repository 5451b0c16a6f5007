#pragma once
// The CNI configuration list by which a container runtime finds our plugin. Runtimes take a node
// for ready when the file is there, so it is written only once the node's pod networks are known.

#include "node/plan.hpp"

namespace sluice::node {

/// The text of the file (reference: CNI SPEC 1.0 "Configuration format"). Pure.
std::string cni_config_text(const Settings &settings, const std::vector<Cidr> &pod_cidrs);

/// One file that is replaced as a whole: readers see the old or the new text, never half of one.
class CniConfigFile {
public:
  explicit CniConfigFile(std::string folder = "/etc/cni/net.d",
                         std::string name = "10-sluice.conflist");
  const std::string &path() const noexcept { return path_; }
  /// Empty if there is none.
  Result<std::string> read() const;
  /// Makes the folder if it is missing. The file is durable when this returns.
  Result<> write(const std::string &text) const;
  /// No error if there is none.
  Result<> remove() const;

private:
  std::string path_;
};

} // namespace sluice::node
