#pragma once
// sluice-controlplane in one object: store, registry, API server, controllers.

#include "controlplane/settings.hpp"
#include "net/unique_fd.hpp"

#include <memory>

namespace sluice::controlplane {

class Daemon {
public:
  /// Brings everything up; `handed` are listening sockets that somebody handed over. When this
  /// returns the API answers and <data-dir>/admin.conf is written.
  static Result<std::unique_ptr<Daemon>> start(const Settings &settings,
                                               std::vector<UniqueFd> handed);
  /// Ends watches properly, then the server, then the controllers; what was acknowledged is on
  /// disk.
  ~Daemon();
  const std::vector<SocketAddress> &addresses() const noexcept;

private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

} // namespace sluice::controlplane
