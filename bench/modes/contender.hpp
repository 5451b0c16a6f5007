#pragma once
// One mode with one number of Services, on a node of its own between a client and a server.

#include "bench/modes/connections.hpp"
#include "bench/must.hpp"
#include "proxy/dataplane.hpp"

namespace sluice::bench {

double median(std::vector<double> values);

using Open = std::function<std::unique_ptr<proxy::Dataplane>(const kernel::NetNs &)>;
struct Mode {
  std::string name;
  Open open; ///< nothing: no rules, connections go straight to the endpoint
};
/// "no rules", and what this kernel has.
std::vector<Mode> all_modes();

/// Of this process and the programs that it ran.
struct Cost {
  double ms = 0, cpu_ms = 0;
};
struct Costs {
  std::vector<double> ms, cpu_ms;
  void add(const Cost &cost) {
    ms.push_back(cost.ms);
    cpu_ms.push_back(cost.cpu_ms);
  }
};

/// A client and a server, and the node that routes between them.
struct World {
  kernel::NetNs node = must(kernel::NetNs::create()), client = must(kernel::NetNs::create()),
                server = must(kernel::NetNs::create());
  World();

private:
  void attach(const kernel::NetNs &ns, const std::string &link, const std::string &address) const;
};

class Contender {
public:
  /// Its first sync is done when it returns.
  Contender(const Mode &mode, std::uint32_t services);

  /// One endpoint is replaced; a Service comes, and goes. Does nothing once that took
  /// `kChangesTime` altogether, and was done often enough for a median.
  void change();
  static constexpr std::chrono::seconds kChangesTime{20};
  static constexpr std::size_t kFewestChanges = 5;

  /// How many connections come through in a slice of time: one after the other, and 16 at once.
  void connect();

  const std::string &mode() const noexcept { return mode_; }
  std::uint32_t services() const noexcept { return services_; }
  const Cost &first_sync() const noexcept { return first_sync_; }
  const Costs &endpoint_changes() const noexcept { return endpoint_; }
  const Costs &arrivals() const noexcept { return arrivals_; }
  const Costs &departures() const noexcept { return departures_; }
  /// By round.
  const std::vector<double> &alone() const noexcept { return alone_; }
  const std::vector<double> &together() const noexcept { return together_; }
  /// Of each connection among 16.
  const std::vector<double> &cpu_us() const noexcept { return cpu_us_; }

private:
  Cost apply(const proxy::TableDelta &delta);

  std::string mode_;
  std::uint32_t services_, changes_ = 0;
  World world_;
  Server server_;
  std::unique_ptr<proxy::Dataplane> dataplane_;
  Cost first_sync_;
  Costs endpoint_, arrivals_, departures_;
  std::chrono::nanoseconds changing_{};
  std::vector<double> alone_, together_, cpu_us_;
};

} // namespace sluice::bench
