#pragma once
// The loopback socket of the machine through which kubectl reaches a control plane that lives in a
// namespace of its own: made here, inherited there.

#include "net/port.hpp"
#include "net/unique_fd.hpp"

#include <string>
#include <vector>

namespace sluice::cluster {

/// Listens on 127.0.0.1 in the caller's namespace; port 0: any free one. Errors: busy.
Result<UniqueFd> listen_on_loopback(Port port);
Result<Port> port_of(const UniqueFd &socket);

/// Becomes `argv` with the listening socket that is descriptor 0 handed over as systemd does it
/// (sd_listen_fds(3): descriptor 3, LISTEN_FDS, LISTEN_PID). Returns only if that fails.
Result<> exec_with_socket(const std::vector<std::string> &argv);

} // namespace sluice::cluster
