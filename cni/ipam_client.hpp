#pragma once
// Whoever gives out the addresses of a request: our own IPAM in this process, or another plugin.

#include "cni/protocol/plugin.hpp"

#include <string>

namespace sluice::cni {

class IpamClient {
public:
  /// Errors of `find_plugin`. In this process if ipam.type is "sluice-ipam", or "host-local" and
  /// the file of that name in CNI_PATH is this very program. `request` must outlive the client.
  static Outcome<IpamClient> of(const Request &request);

  /// At least one address. A plugin that fails is told to DEL.
  Outcome<AddResult> add() const;
  Outcome<> del() const { return run(Command::del); }
  Outcome<> check() const { return run(Command::check); }
  Outcome<> status() const { return run(Command::status); }
  Outcome<> gc() const { return run(Command::gc); }

private:
  IpamClient(const Request &request, std::string program)
      : request_(&request), program_(std::move(program)) {}
  Outcome<AddResult> add_by_exec() const;
  Outcome<> run(Command command) const;
  const Request *request_;
  std::string program_; ///< empty: in this process
};

} // namespace sluice::cni
