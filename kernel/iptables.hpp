#pragma once
// The iptables tools: iptables-save(8) and iptables-restore(8), the only stable interface to the
// tables of both flavours. What is written goes in one run; what is read is visited line by line.

#include "kernel/spawn.hpp"
#include "net/ip_address.hpp"

namespace sluice::kernel::iptables {

/// Two kinds of tables live beside each other in one kernel: x_tables and, emulated, nf_tables.
enum class Flavour : std::uint8_t { legacy, nft };
std::string_view name_of(Flavour flavour) noexcept; ///< "legacy", "nft"

/// What reads the output of iptables-save. The views live as long as the text.
struct Visitor {
  /// A chain of a table; `policy` is "ACCEPT" or "DROP", or "-" of a chain that somebody made.
  std::function<void(std::string_view table, std::string_view chain, std::string_view policy)>
      chain;
  /// A rule without "-A <chain> ".
  std::function<void(std::string_view table, std::string_view chain, std::string_view rule)> rule;
};
/// Comments, counters and COMMIT lines are passed over. Errors: a line that is none of its kind.
Result<> visit(std::string_view saved, const Visitor &visitor);

/// Not thread-safe. The programs act on the network namespace of the calling thread, or on `netns`.
class Tool {
public:
  virtual ~Tool() = default;
  /// The whole of one table, or of all that exist if `table` is empty. A kernel without the table
  /// has the text "".
  virtual Result<std::string> save(std::string_view table) = 0;
  /// Each table of the text in one atomic step; chains that it does not name stay. Errors: busy
  /// (another program holds the lock of the tables; nothing was done), invalid_input (the program
  /// refused a line; nothing of that table was done), unsupported (no such program).
  virtual Result<> restore(std::string_view text) = 0;
};

struct ToolOptions {
  Family family = Family::ipv4;
  Flavour flavour = Flavour::nft;
  std::optional<int> netns_fd;
  /// For the program to end: the nft flavour needs some seconds for ten thousand chains.
  std::chrono::seconds deadline{120};
};

/// Errors: unsupported, if the flavour's programs are not installed.
Result<std::unique_ptr<Tool>> open_tool(const ToolOptions &options);

/// Which flavour the rest of this host uses, decided as the wrapper of the Kubernetes distributions
/// does it: where kubelet's hint chain is, else where there are more rules, else nft.
/// (kubernetes-sigs/iptables-wrappers.) Errors: unsupported, if neither is installed.
Result<Flavour> flavour_in_use(std::optional<int> netns_fd = {});

/// The decision alone: what each flavour's iptables-save printed, IPv4 and IPv6 together.
Flavour choose_flavour(std::string_view legacy_saved, std::string_view nft_saved);

} // namespace sluice::kernel::iptables
