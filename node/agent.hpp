#pragma once
// One round of the node agent: read the kernel back, plan, apply.

#include "kernel/nft/nft.hpp"
#include "kernel/sysctl.hpp"
#include "node/cni_config.hpp"
#include "node/plan.hpp"

#include <optional>

namespace sluice::node {

/// What has to be done, as a value.
struct Actions {
  kernel::RtnlBatch links_and_routes;
  kernel::nft::Batch masquerade;
  std::vector<std::pair<std::string, std::string>> sysctls; ///< name with slashes, value
  std::optional<std::string> cni_config;                    ///< the file's new text
  std::vector<Problem> problems;                            ///< Nodes that cannot be served
  /// Nothing to do (there may be problems).
  bool empty() const noexcept;
  /// One line an operation; what --dry-run prints.
  std::string str() const;
};

/// Not thread-safe. The collaborators are borrowed.
class Agent {
public:
  Agent(kernel::Rtnl &rtnl, kernel::nft::Nft &nft, kernel::Sysctl sysctl, CniConfigFile cni_config,
        Settings settings);

  /// Reads and plans; changes nothing.
  Result<Actions> plan(const Cluster &cluster);
  /// Tries every part; what failed of it. Another round makes good for it.
  std::vector<Error> apply(const Actions &actions);
  /// Removes our routes, the nft table and the CNI configuration, and nothing else. Addresses,
  /// bridge and sysctls stay: pods may live on. Tries every part.
  std::vector<Error> cleanup();

private:
  Result<std::vector<kernel::Route>> read_routes();
  std::vector<std::pair<std::string, std::string>> plan_sysctls(const Desired &desired) const;
  kernel::Rtnl &rtnl_;
  kernel::nft::Nft &nft_;
  kernel::Sysctl sysctl_;
  CniConfigFile cni_config_;
  Settings settings_;
};

} // namespace sluice::node
