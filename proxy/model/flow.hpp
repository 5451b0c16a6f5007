#pragma once
// A question to the table and its answer: where does this connection go, and why?

#include "proxy/model/table.hpp"

namespace sluice::proxy {

/// One packet's first look: the start of a connection.
struct Flow {
  IpAddress source, destination;
  Port sourcePort, destinationPort;
  Protocol protocol = Protocol::tcp;
  std::string inInterface; ///< empty: sent by a process of this node
};

/// Why a flow goes where it goes.
struct Explanation {
  std::optional<Frontend> frontend; ///< nothing: the proxy does not touch it
  std::vector<Backend> backends;
  bool masquerade = false;
  std::string verdict;              ///< "translate", "reject", "drop", "none"
  std::vector<std::string> reasons; ///< in the order in which they were decided
  /// A data plane's answer: the objects of the kernel that say so, as nft(8) and the like name
  /// them.
  std::vector<std::string> objects;
  /// The same: where the kernel is not as the data plane has written it, as far as it had to look
  /// for the answer.
  std::vector<std::string> differences;
};

} // namespace sluice::proxy
