#pragma once
// IPv6 addresses work a little later than RTM_NEWADDR is answered, also those without duplicate
// address detection (IFA_F_NODAD): the kernel's route to an own address is made by a work queue,
// and what arrives before is dropped. The kernel announces the address when it gets there.

#include "cni/protocol/result.hpp"
#include "net/unique_fd.hpp"

#include <vector>

namespace sluice::cni {

/// Listens in the calling thread's network namespace. Without IPv6 addresses it does nothing.
class AddressWatch {
public:
  /// To be called before the addresses are added. IPv4 addresses are passed over.
  static Result<AddressWatch> open(const std::vector<IpAddress> &addresses);
  /// Returns when the kernel holds RTNL to make the last of the routes: whoever takes that lock
  /// next finds them made. Waits a second at most; a kernel that is later still is no error.
  void wait();

private:
  AddressWatch() = default;
  std::vector<IpAddress> missing_;
  UniqueFd listener_;
};

/// The addresses that a pod gets without detection; empty with it: it takes its second anyway.
std::vector<IpAddress> undetected(const AddResult &addresses, bool duplicate_address_detection);

} // namespace sluice::cni
