#pragma once

#include "kernel/nft/types.hpp"

#include "net/result.hpp"
#include "net/unique_fd.hpp"

namespace sluice::kernel::nft {

/// What happened to the watched table since the last look.
struct TableEvents {
  bool changed_by_others = false; ///< by a socket that is not in `own_ports`
  bool deleted_by_others = false; ///< the table as a whole
  bool overrun = false;           ///< events were lost: read the kernel back
  bool any() const noexcept { return changed_by_others || deleted_by_others || overrun; }
};

/// Listens to changes of nf_tables (NFNLGRP_NFTABLES) and tells of those to one table that others
/// made. Call `listen`, poll `fd()` for reading, then call `take_events`. Not thread-safe.
class NftMonitor {
public:
  /// In the calling thread's network namespace. `own_ports`: NftSocket::port_id of our sockets.
  static Result<NftMonitor> open(TableId table, std::vector<std::uint32_t> own_ports);
  /// From here on. Each change in the namespace then costs whoever makes it an announcement of
  /// every element: a large load of one's own is better done before, and looked at afterwards.
  Result<> listen();
  int fd() const noexcept { return fd_.get(); }
  /// Everything that is there now; does not wait.
  Result<TableEvents> take_events();

private:
  NftMonitor(UniqueFd fd, TableId table, std::vector<std::uint32_t> own_ports)
      : fd_(std::move(fd)), table_(std::move(table)), own_ports_(std::move(own_ports)) {}
  UniqueFd fd_;
  TableId table_;
  std::vector<std::uint32_t> own_ports_;
};

} // namespace sluice::kernel::nft
