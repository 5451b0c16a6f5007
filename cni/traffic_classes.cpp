// Two classes of an HTB discipline and the filters between them.
#include "cni/traffic_control.hpp"
#include "cni/traffic_message.hpp"

#include <algorithm>
#include <array>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <netinet/in.h>

namespace sluice::cni {

using kernel::IfIndex;
using kernel::rtnl::Message;

using namespace traffic;

namespace {

constexpr std::uint32_t kFree = 1, kShaped = 48;          // minor numbers of the reference plugin
constexpr std::uint64_t kFreeRateBytes = 100'000'000'000; // a second
constexpr std::uint32_t kFreeBufferTicks = 15'625;        // 1 ms
constexpr std::uint32_t kHtbVersion = 3, kRateToQuantum = 10;
constexpr std::uint64_t kLeastQuantumBytes = 1'500, kMostQuantumBytes = 60'000;

std::uint32_t id_of(std::uint32_t minor) { return kRootHandle | minor; }

tc_ratespec rate_of(std::uint64_t bytes) {
  tc_ratespec rate{};
  rate.rate = cut_to_32_bits(bytes);
  rate.linklayer = TC_LINKLAYER_ETHERNET; // the kernel counts bytes itself and wants no table
  return rate;
}

struct Class {
  std::uint32_t minor;
  std::uint64_t rate_bytes, ceiling_bytes;
  std::uint32_t buffer_ticks;
};

Message class_message(IfIndex link, const Class &made) {
  Message message(RTM_NEWTCLASS, kCreate, header_of(link, kRootHandle, id_of(made.minor)));
  message.put(TCA_KIND, std::string("htb"));
  message.nest(TCA_OPTIONS, [&] {
    tc_htb_opt parameters{};
    parameters.rate = rate_of(made.rate_bytes);
    parameters.ceil = rate_of(made.ceiling_bytes);
    parameters.buffer = parameters.cbuffer = made.buffer_ticks;
    parameters.quantum = static_cast<std::uint32_t>(
        std::clamp(made.rate_bytes / kRateToQuantum, kLeastQuantumBytes, kMostQuantumBytes));
    message.put(TCA_HTB_PARMS, bytes_of(parameters));
    message.put(TCA_HTB_RATE64, bytes_of(made.rate_bytes));
    message.put(TCA_HTB_CEIL64, bytes_of(made.ceiling_bytes));
  });
  return message;
}

/// Where the destination address is in a packet, and how filters of its family are kept apart:
/// those of one priority have one protocol.
struct Place {
  std::uint16_t protocol;
  int offset_bytes;
  std::uint32_t priority;
};

Place place_of(Family family) {
  return family == Family::ipv4 ? Place{ETH_P_IP, 16, 16} : Place{ETH_P_IPV6, 24, 15};
}

/// Compares the address four bytes at a time; a network of length 0 compares nothing.
std::vector<std::uint8_t> selector_of(const Cidr &destination) {
  tc_u32_sel selector{};
  selector.flags = TC_U32_TERMINAL;
  std::array<tc_u32_key, 4> keys{};
  const auto value = destination.address().bytes();
  const auto netmask = destination.netmask();
  const auto mask = netmask.bytes();
  int offset = place_of(destination.family()).offset_bytes;
  for (std::size_t at = 0; at < value.size(); at += 4, offset += 4) {
    auto &key = keys[selector.nkeys];
    std::memcpy(&key.mask, mask.data() + at, 4);
    std::memcpy(&key.val, value.data() + at, 4);
    key.off = offset;
    if (key.mask != 0)
      ++selector.nkeys;
  }
  selector.nkeys = std::max<unsigned char>(selector.nkeys, 1);
  std::vector<std::uint8_t> bytes(sizeof selector + selector.nkeys * sizeof(tc_u32_key));
  std::memcpy(bytes.data(), &selector, sizeof selector);
  std::memcpy(bytes.data() + sizeof selector, keys.data(), selector.nkeys * sizeof(tc_u32_key));
  return bytes;
}

Message filter_message(IfIndex link, const Cidr &destination, std::uint32_t minor) {
  const auto place = place_of(destination.family());
  auto header = header_of(link, kRootHandle, 0);
  header.tcm_info = place.priority << 16 | htons(place.protocol);
  Message message(RTM_NEWTFILTER, kCreate, header);
  message.put(TCA_KIND, std::string("u32"));
  message.nest(TCA_OPTIONS, [&] {
    message.put_u32(TCA_U32_CLASSID, id_of(minor));
    message.put(TCA_U32_SEL, selector_of(destination));
  });
  return message;
}

Message discipline_message(IfIndex link, std::uint32_t default_minor) {
  Message message(RTM_NEWQDISC, kCreate, header_of(link, TC_H_ROOT, kRootHandle));
  message.put(TCA_KIND, std::string("htb"));
  message.nest(TCA_OPTIONS, [&] {
    tc_htb_glob parameters{};
    parameters.version = kHtbVersion;
    parameters.rate2quantum = kRateToQuantum;
    parameters.defcls = default_minor;
    message.put(TCA_HTB_INIT, bytes_of(parameters));
  });
  return message;
}

std::optional<TokenBucket> decode_class(const nlmsghdr &message, IfIndex link) {
  std::array<nlattr *, TCA_MAX + 1> table{};
  std::array<nlattr *, TCA_HTB_MAX + 1> options{};
  if (message.nlmsg_type != RTM_NEWTCLASS || message.nlmsg_len < NLMSG_LENGTH(sizeof(tcmsg)) ||
      nlmsg_parse(const_cast<nlmsghdr *>(&message), sizeof(tcmsg), table.data(), TCA_MAX, nullptr) <
          0)
    return std::nullopt;
  const auto &header = *static_cast<const tcmsg *>(nlmsg_data(&message));
  if (static_cast<std::uint32_t>(header.tcm_ifindex) != link.value ||
      header.tcm_handle != id_of(kShaped) || !table[TCA_OPTIONS] ||
      nla_parse_nested(options.data(), TCA_HTB_MAX, table[TCA_OPTIONS], nullptr) < 0)
    return std::nullopt;
  const auto parameters = plain_in<tc_htb_opt>(options[TCA_HTB_PARMS]);
  if (!parameters)
    return std::nullopt;
  TokenBucket bucket;
  bucket.rate_bytes =
      plain_in<std::uint64_t>(options[TCA_HTB_RATE64]).value_or(parameters->rate.rate);
  bucket.buffer_ticks = parameters->buffer;
  return bucket;
}

} // namespace

Result<> TrafficControl::add_classes(IfIndex link, const TokenBucket &bucket,
                                     const SubnetChoice &choice) {
  SLUICE_TRY(request(discipline_message(link, choice.shaped ? kFree : kShaped),
                     named("add an HTB discipline", link)),
             "shape by subnet");
  const Class classes[] = {{kShaped, bucket.rate_bytes, 2 * bucket.rate_bytes, bucket.buffer_ticks},
                           {kFree, kFreeRateBytes, kFreeRateBytes, kFreeBufferTicks}};
  Result<> done;
  for (const auto &made : classes)
    if (done)
      done = request(class_message(link, made), named("add an HTB class", link));
  for (const auto &subnet : choice.subnets)
    if (done)
      done = request(filter_message(link, subnet, choice.shaped ? kShaped : kFree),
                     named(("sort out " + subnet.str()).c_str(), link));
  if (!done)
    (void)remove_root(link);
  return done;
}

Result<std::optional<TokenBucket>> TrafficControl::read_shaped_class(IfIndex link) {
  std::optional<TokenBucket> bucket;
  Message message(RTM_GETTCLASS, 0, header_of(link, 0, 0));
  SLUICE_TRY(socket_.dump(
                 message, named("read the HTB classes", link), [] {},
                 [&](const nlmsghdr &part) {
                   if (auto found = decode_class(part, link))
                     bucket = found;
                 }),
             "shape by subnet");
  return bucket;
}

} // namespace sluice::cni
