#include "ipam/allocator.hpp"

#include <algorithm>

namespace sluice::ipam {

using cni::Attachment;
using cni::Code;
using cni::Outcome;

namespace {

std::string quoted(const Attachment &attachment) {
  return "container \"" + attachment.container_id + "\" interface \"" + attachment.ifname + "\"";
}

Outcome<> refuse_second(const RangeSet &set, const std::vector<Record> &records,
                        const Attachment &attachment) {
  for (const auto &record : records)
    if (record.belongs_to(attachment) && set.find(record.ip))
      return fail(Code::already_exists,
                  quoted(attachment) + " holds " + record.ip.str() + " already", "DEL releases it");
  return {};
}

/// Sorted.
std::vector<IpAddress> addresses_of(const std::vector<Record> &records) {
  std::vector<IpAddress> taken;
  taken.reserve(records.size());
  for (const auto &record : records)
    if (!record.container_id.empty())
      taken.push_back(record.ip);
  std::sort(taken.begin(), taken.end());
  return taken;
}

bool contains(const std::vector<IpAddress> &sorted, const IpAddress &ip) {
  return std::binary_search(sorted.begin(), sorted.end(), ip);
}

Outcome<IpAddress> grant(const RangeSet &set, const IpAddress &wanted,
                         const std::vector<IpAddress> &taken) {
  if (set.is_gateway(wanted))
    return fail(Code::address_unavailable,
                "requested address " + wanted.str() + " is the gateway of " + set.str());
  if (contains(taken, wanted))
    return fail(Code::address_unavailable, "requested address " + wanted.str() + " is in use",
                "its record is in the address store");
  return wanted;
}

Outcome<IpAddress> next_free(const RangeSet &set, const std::optional<IpAddress> &last,
                             const std::vector<IpAddress> &taken) {
  Candidates candidates(set, last);
  while (const auto candidate = candidates.next())
    if (!contains(taken, *candidate))
      return *candidate;
  return fail(
      Code::try_again, "no IP addresses available in range set: " + set.str(),
      "every address has a record in the address store; deleting pods frees addresses, and records of containers that are gone are removed by GC");
}

std::string list(const std::vector<IpAddress> &ips) {
  std::string text;
  for (const auto &ip : ips)
    text += (text.empty() ? "" : ", ") + ip.str();
  return text;
}

} // namespace

Outcome<std::vector<Choice>> choose(const IpamConfig &config,
                                    const std::vector<std::optional<IpAddress>> &last,
                                    const std::vector<Record> &records,
                                    const Attachment &attachment) {
  const auto taken = addresses_of(records);
  auto requested = config.requested;
  std::vector<Choice> choices;
  for (std::size_t i = 0; i < config.sets.size(); ++i) {
    const auto &set = config.sets[i];
    SLUICE_PASS(refuse_second(set, records, attachment));
    const auto wanted = std::find_if(requested.begin(), requested.end(),
                                     [&](const IpAddress &ip) { return set.find(ip) != nullptr; });
    const bool asked = wanted != requested.end();
    SLUICE_TAKE(const IpAddress ip,
                asked ? grant(set, *wanted, taken) : next_free(set, last[i], taken));
    if (asked)
      requested.erase(wanted);
    choices.push_back({i, ip, *set.find(ip)});
  }
  if (!requested.empty())
    return fail(Code::address_unavailable,
                "requested addresses are in no range: " + list(requested),
                "one address is given out of each range set");
  return choices;
}

} // namespace sluice::ipam
