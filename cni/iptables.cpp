#include "cni/iptables.hpp"

#include "cni/nft_message.hpp"
#include "cni/protocol/exec.hpp"
#include "net/sha512.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

constexpr std::size_t kChainName = 28;
constexpr int kAttempts = 20;
constexpr auto kDeadline = std::chrono::seconds(60);
const Variables kVariables = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};

/// The full path; empty if there is no such program.
std::string find_program(const std::string &name) {
  for (const char *folder : {"/usr/sbin/", "/sbin/", "/usr/local/sbin/", "/usr/bin/", "/bin/"})
    if (::access((folder + name).c_str(), X_OK) == 0)
      return folder + name;
  return {};
}

/// `verb` is "-save" or "-restore".
Outcome<std::string> program_of(Family family, Iptables kind, const std::string &verb) {
  const std::string base = family == Family::ipv4 ? "iptables" : "ip6tables";
  std::string found;
  if (kind != Iptables::of_the_node)
    found = find_program(base + (kind == Iptables::nft ? "-nft" : "-legacy") + verb);
  if (found.empty())
    found = find_program(base + verb);
  if (found.empty())
    return fail(Code::invalid_config, base + verb + " is not installed",
                "install iptables, or set the back end to nftables");
  return found;
}

/// One of us at a time in this network namespace: released with the descriptor. The nf_tables kind
/// of iptables-restore has no lock, and when it is overtaken it plans its commands again: "-N" of a
/// chain that is there now is passed over then, and the rule that leads to it is made twice.
/// Without a lock (an old kernel) it works as well as the reference plugins.
UniqueFd lock_tables() {
  UniqueFd fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (fd)
    while (::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
  return fd;
}

/// /proc names the tables of legacy iptables; there is no such file while its module is not loaded.
bool has_legacy_nat(Family family) {
  const UniqueFd fd(::open(family == Family::ipv4 ? "/proc/self/net/ip_tables_names"
                                                  : "/proc/self/net/ip6_tables_names",
                           O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text{};
  const auto got = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  return got > 0 && std::string_view(text.data(), static_cast<std::size_t>(got)).find("nat\n") !=
                        std::string_view::npos;
}

} // namespace

bool has_iptables() {
  return !find_program("iptables-save").empty() && !find_program("iptables-restore").empty();
}

std::vector<Iptables> kinds_with_chain(Family family, const std::set<std::string> &chains) {
  std::vector<Iptables> kinds;
  if (auto socket = nft::Socket::open()) {
    const nft::Table nat = {nft::family_number(family), "nat"};
    for (const auto &chain : chains)
      if (kinds.empty() && socket->has_chain(nat, chain).value_or(false))
        kinds.push_back(Iptables::nft);
  }
  if (has_legacy_nat(family))
    kinds.push_back(Iptables::legacy);
  return kinds;
}

Outcome<NatTable> read_nat(Family family, Iptables kind) {
  SLUICE_TAKE(const auto program, program_of(family, kind, "-save"));
  SLUICE_TAKE(const auto run, run_program(program, {"-t", "nat"}, kVariables, {}, kDeadline));
  if (run.exit_status != 0)
    return fail(Code::kernel, "\"" + program + "\" ended with status " +
                                  std::to_string(run.exit_status) + ": " + run.output);
  return parse_nat(run.output);
}

Outcome<> change_nat(Family family, Iptables kind, const std::string &doing, const NatPlan &plan) {
  SLUICE_TAKE(const auto program, program_of(family, kind, "-restore"));
  const auto lock = lock_tables();
  std::string before;
  for (int attempt = 1;; ++attempt) {
    SLUICE_TAKE(const auto table, read_nat(family, kind));
    const auto text = restore_text(plan(table));
    if (text.empty())
      return {};
    SLUICE_TAKE(const auto run,
                run_program(program, {"--noflush", "-w"}, kVariables, text, kDeadline));
    if (run.exit_status == 0)
      return {};
    // The same plan again: nobody was in the way, iptables does not want it.
    if (text == before || attempt == kAttempts)
      return fail(Code::kernel, doing + ": \"" + program + "\": " + run.output, text);
    before = text;
  }
}

Outcome<> remove_nat_chains(const std::set<std::string> &chains, const std::string &doing) {
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto kind : kinds_with_chain(family, chains))
      if (has_iptables())
        SLUICE_PASS(change_nat(family, kind, doing,
                               [&](const NatTable &table) { return removal_of(table, chains); }));
  return {};
}

std::string reference_chain(const std::string &infix, const std::string &network,
                            const std::string &container_id) {
  const auto prefix = "CNI-" + infix;
  return prefix + sha512_hex(network + container_id).substr(0, kChainName - prefix.size());
}

} // namespace sluice::cni
