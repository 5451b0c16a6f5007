#include "proxy/sysctls.hpp"

#include <charconv>

namespace sluice::proxy {
namespace {

constexpr std::int64_t kMostConnections = 1 << 20;
/// nf_conntrack keeps lists of about four entries each.
constexpr std::int64_t kEntriesPerBucket = 4;

std::optional<std::int64_t> number(const std::string &text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data())
    return std::nullopt;
  return value;
}

} // namespace

std::int64_t conntrack_max(const SysctlWishes &wishes, unsigned cores) {
  if (wishes.maxPerCore <= 0)
    return 0;
  const auto scaled = wishes.maxPerCore * static_cast<std::int64_t>(cores);
  return std::min(std::max(scaled, wishes.min), kMostConnections);
}

std::vector<SysctlState> look_at(const SysctlWishes &wishes, unsigned cores,
                                 const ReadSysctl &read) {
  std::vector<SysctlState> out;
  const auto want = [&](const char *name, std::int64_t value) {
    if (value <= 0)
      return;
    SysctlState state{std::string("net/netfilter/") + name, value, {}, {}};
    if (const auto text = read(state.name))
      state.present = number(*text);
    else
      state.error = text.error().what();
    out.push_back(std::move(state));
  };
  const auto most = conntrack_max(wishes, cores);
  want("nf_conntrack_max", most);
  want("nf_conntrack_buckets", most / kEntriesPerBucket);
  want("nf_conntrack_tcp_timeout_established", wishes.tcpEstablishedTimeout.count());
  want("nf_conntrack_tcp_timeout_close_wait", wishes.tcpCloseWaitTimeout.count());
  want("nf_conntrack_udp_timeout", wishes.udpTimeout.count());
  want("nf_conntrack_udp_timeout_stream", wishes.udpStreamTimeout.count());
  want("nf_conntrack_tcp_be_liberal", wishes.tcpBeLiberal ? 1 : 0);
  return out;
}

void raise(std::vector<SysctlState> &states, const WriteSysctl &write) {
  for (auto &state : states) {
    if (!state.present || state.enough())
      continue;
    if (auto done = write(state.name, std::to_string(state.wanted)); !done)
      state.error = done.error().what();
    else
      state.present = state.wanted;
  }
}

} // namespace sluice::proxy
