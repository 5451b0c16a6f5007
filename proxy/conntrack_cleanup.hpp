#pragma once
// Which UDP flows the kernel keeps sending to a place that the model no longer allows. Pure: from
// what UDP frontends allowed before and after a sync to what is to be looked for, and from that and
// a flow to "stale or not".
//
// A TCP or SCTP connection is never cut: its end is the two peers' own affair, and a peer that is
// gone is noticed. A UDP client notices nothing: as long as it sends, its flow keeps the endpoint
// that it got first (reference: service-semantics.md D.8, issues H08 and H09).

#include "kernel/conntrack/conntrack.hpp"
#include "proxy/model/model.hpp"

namespace sluice::proxy {

/// The bit of the ct mark that a data plane sets on every flow that it translates.
inline constexpr std::uint32_t kOwnershipCtMark = 0x0200'0000;

/// What one pass over the UDP flows of one family looks for.
struct FlowQuery {
  struct Frontend {
    std::vector<SocketAddress> allowed; ///< sorted
    std::vector<SocketAddress> former;  ///< allowed until now; sorted
    bool translates = false;            ///< FlowTarget::translates
    bool gone = false;                  ///< no longer in the table
    friend bool operator==(const Frontend &, const Frontend &) = default;
  };

  Family family = Family::ipv4;
  std::map<proxy::Frontend, Frontend> frontends;
  /// `frontends` are all that there are: whatever else carries our mark belongs to a Service that
  /// went while nobody looked.
  bool all = false;
  std::uint32_t ownershipMark = kOwnershipCtMark;
  /// As in NodeInfo.
  std::vector<IpAddress> nodePortAddresses;
  bool anyNodePortAddress = false;

  bool empty() const noexcept { return frontends.empty() && !all; }
  /// `newer` counts where both speak of one frontend.
  void merge(FlowQuery newer);
};

/// `local`: the addresses of this node, used if `anyNodePortAddress`. Certain of ownership: a flow
/// is stale only if
///   - it goes to a frontend's own address (nobody else translates those), or it carries our mark,
///     or its backend is one that this frontend had until now, and its backend is not allowed; or
///   - it goes to a frontend and was not translated, because it is older than the rules; or
///   - it carries our mark, is translated, and no frontend has its destination (`all`).
bool is_stale(const kernel::conntrack::Flow &flow, const FlowQuery &query,
              const std::set<IpAddress> &local);

/// Remembers what the UDP frontends of one family allow. Not thread-safe.
class FlowTracker {
public:
  explicit FlowTracker(std::uint32_t ownership_mark = kOwnershipCtMark)
      : ownership_mark_(ownership_mark) {}
  /// What became invalid with a sync that looked at `changed`; empty if nothing did. A frontend
  /// that only got more endpoints is not looked at.
  FlowQuery update(const Model &model, const std::set<kube::ObjectKey> &changed);
  /// Everything, after a start or a repair: flows may be older than what we know.
  FlowQuery update_all(const Model &model);

private:
  FlowQuery query_of(const Model &model) const;
  void replace(const kube::ObjectKey &service, std::vector<FlowTarget> targets, FlowQuery &query);
  void add_namesakes(FlowQuery &query) const;

  std::uint32_t ownership_mark_;
  std::map<kube::ObjectKey, std::vector<FlowTarget>> known_; ///< Services with UDP frontends
};

} // namespace sluice::proxy
