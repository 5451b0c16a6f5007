#pragma once
// From an operation to the messages that ask the kernel for it. Pure.

#include "kernel/rtnl.hpp"
#include "kernel/rtnl/message.hpp"

#include <map>

namespace sluice::kernel::rtnl {

using Indexes = std::map<std::string, IfIndex>;

/// The link names of `op` that the kernel wants as an index.
std::vector<std::string> names_to_resolve(const RtnlOp &op);
/// Whether indexes that were looked up before may be wrong after `op`.
bool changes_names(const RtnlOp &op) noexcept;
/// In order; each is to be sent only once the one before it was accepted. `indexes` holds every
/// name of `names_to_resolve`. Errors: invalid_input for a name or alias that no link can have.
Result<std::vector<Message>> encode(const RtnlOp &op, const Indexes &indexes);

} // namespace sluice::kernel::rtnl
