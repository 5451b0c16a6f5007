#pragma once
// What a data plane is: something that makes the kernel behave as a Table says. DESIGN.md
// section 2.

#include "net/clock.hpp"
#include "proxy/model/flow.hpp"

namespace sluice::proxy {

/// What differs between the kernel and the table.
struct Drift {
  std::vector<std::string> differences; ///< in people's words; empty: none
  bool empty() const noexcept { return differences.empty(); }
};

/// An endpoint that left the table: no new connection reaches it, the old ones do.
struct DrainingEndpoint {
  SocketAddress address;
  Protocol protocol = Protocol::tcp;
  Clock::time_point since; ///< this process has known of it
};

/// One instance per IP family. Not thread-safe; one thread owns it. `start` comes first.
class Dataplane {
public:
  virtual ~Dataplane() = default;
  /// Adopts what an earlier run left in the kernel if it fits the table's layout, else replaces it,
  /// in one atomic step: established and new connections see no gap.
  virtual Result<> start(const Table &table) = 0;
  /// One atomic step, O(delta). After an error the kernel is as before and the next call must be
  /// `start` (which reads the kernel back); but after Errc::busy, when somebody else is writing,
  /// the delta is kept and goes out with the next `apply`, which may be one of an empty delta.
  virtual Result<> apply(const TableDelta &delta) = 0;
  /// Reads the kernel back and compares. O(table).
  virtual Result<Drift> verify(const Table &table) = 0;
  /// Nobody at all has changed the kernel's rules since they were last found or made right, so that
  /// `verify` has nothing to find. Cheap, unlike that; "no" if the data plane cannot tell.
  virtual Result<bool> untouched() { return false; }
  /// Leaves nothing of ours behind; nothing of others is touched. No error if nothing is there.
  virtual Result<> remove() = 0;
  /// Another mode has taken over: takes no new connection any more, and keeps what open ones need.
  /// True: none needs anything, nothing of ours is left. To be called again until then. Where
  /// conntrack alone carries what is open, that is at once.
  virtual Result<bool> drain() {
    SLUICE_TRY(remove(), "drain");
    return true;
  }
  /// Those that need something of ours in the kernel: none where conntrack alone carries old
  /// connections.
  virtual std::vector<DrainingEndpoint> draining() const { return {}; }
  virtual Result<Explanation> explain(const Flow &flow) = 0;
};

} // namespace sluice::proxy
