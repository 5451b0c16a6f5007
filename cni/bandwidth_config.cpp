#include "cni/bandwidth_config.hpp"

#include "net/sha512.hpp"

#include <algorithm>

namespace sluice::cni {
namespace {

constexpr std::int64_t kBitsPerByte = 8;
constexpr std::int64_t kMaxBurstBits = kBitsPerByte * UINT32_MAX - 1;
constexpr double kLatencySeconds = 0.025;
constexpr double kTicksPerSecond = 1e9 / 64; // PSCHED_SHIFT of the kernel
constexpr std::uint32_t kMaxKernelTicks = UINT32_MAX / 64;

std::uint32_t clamped(double value) {
  return value >= UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(value);
}

Outcome<std::optional<TokenBucket>> read_bucket(const ObjectReader &from, const char *rate_key,
                                                const char *burst_key) {
  SLUICE_TAKE(const auto rate_bits, from.number(rate_key, 0, INT64_MAX));
  SLUICE_TAKE(const auto burst_bits, from.number(burst_key, 0, kMaxBurstBits));
  const auto rate = rate_bits.value_or(0), burst = burst_bits.value_or(0);
  if (rate == 0 && burst == 0)
    return std::optional<TokenBucket>{};
  if (rate == 0)
    return fail(from.wrong(burst_key, std::string("a burst needs its rate, ") + rate_key));
  if (burst == 0)
    return fail(from.wrong(rate_key, std::string("a rate needs its burst, ") + burst_key));
  if (rate < kBitsPerByte)
    return fail(from.wrong(rate_key, "the least is 8 bits a second"));
  return std::optional<TokenBucket>(
      token_bucket(static_cast<std::uint64_t>(rate), static_cast<std::uint64_t>(burst)));
}

Outcome<std::vector<Cidr>> read_subnets(const ObjectReader &from, const char *key) {
  std::vector<std::string> texts;
  SLUICE_PASS(from.read(key, texts));
  std::vector<Cidr> subnets;
  for (const auto &text : texts) {
    // Host bits are masked off, as the reference plugin does.
    const auto subnet = InterfaceAddress::parse(text);
    if (!subnet)
      return fail(from.wrong(key, "\"" + text + "\" is no subnet, as 10.0.0.0/8 is one"));
    subnets.push_back(subnet->network());
  }
  return subnets;
}

Outcome<std::optional<SubnetChoice>> read_choice(const ObjectReader &from) {
  SLUICE_TAKE(auto shaped, read_subnets(from, "shapedSubnets"));
  SLUICE_TAKE(auto unshaped, read_subnets(from, "unshapedSubnets"));
  if (!shaped.empty() && !unshaped.empty())
    return fail(Code::invalid_config, from.path() + "shapedSubnets and " + from.path() +
                                          "unshapedSubnets are both set: only one can be");
  if (shaped.empty() && unshaped.empty())
    return std::optional<SubnetChoice>();
  const bool these = !shaped.empty();
  return std::optional(SubnetChoice{these ? std::move(shaped) : std::move(unshaped), these});
}

bool has_own_limits(const ObjectReader &top) {
  return top.has("ingressRate") || top.has("ingressBurst") || top.has("egressRate") ||
         top.has("egressBurst");
}

Outcome<BandwidthConfig> read_limits(const ObjectReader &from) {
  BandwidthConfig config;
  SLUICE_TAKE(config.ingress, read_bucket(from, "ingressRate", "ingressBurst"));
  SLUICE_TAKE(config.egress, read_bucket(from, "egressRate", "egressBurst"));
  SLUICE_TAKE(config.choice, read_choice(from));
  return config;
}

} // namespace

TokenBucket token_bucket(std::uint64_t rate_bits, std::uint64_t burst_bits) {
  TokenBucket bucket;
  bucket.rate_bytes = rate_bits / kBitsPerByte;
  const auto rate = static_cast<double>(bucket.rate_bytes);
  const auto burst = static_cast<double>(burst_bits / kBitsPerByte);
  bucket.limit_bytes = clamped(rate * kLatencySeconds + burst);
  // Whole microseconds, as the reference plugin and tc(8) count them.
  const auto microseconds = clamped(burst * 1e6 / rate);
  bucket.buffer_ticks = clamped(microseconds * (kTicksPerSecond / 1e6));
  return bucket;
}

bool same_in_kernel(const TokenBucket &wanted, const TokenBucket &kernel) {
  return wanted.rate_bytes == kernel.rate_bytes && wanted.limit_bytes == kernel.limit_bytes &&
         (kernel.buffer_ticks == wanted.buffer_ticks ||
          kernel.buffer_ticks == std::min(wanted.buffer_ticks, kMaxKernelTicks));
}

Outcome<BandwidthConfig> parse_bandwidth_config(const NetworkConfig &config) {
  const auto top = top_of(config);
  if (has_own_limits(top))
    return read_limits(top);
  SLUICE_TAKE(const auto runtime, top.object("runtimeConfig"));
  if (!runtime)
    return BandwidthConfig{};
  SLUICE_TAKE(const auto limits, runtime->object("bandwidth"));
  if (!limits)
    return BandwidthConfig{};
  SLUICE_TAKE(auto read, read_limits(*limits));
  // The runtime knows the rates and the administrator the subnets.
  if (!read.choice) {
    SLUICE_TAKE(read.choice, read_choice(top));
  }
  return read;
}

std::string shaping_device(const std::string &network, const std::string &container_id) {
  constexpr std::size_t kDigits = 12;
  return "bwp" + sha512_hex(network + container_id).substr(0, kDigits);
}

Outcome<Interface> host_end(const AddResult &previous, const kernel::Link &peer) {
  for (const auto &interface : previous.interfaces)
    if (interface.sandbox.empty() && interface.name == peer.name)
      return interface;
  return fail(Code::invalid_config, "prevResult does not name \"" + peer.name +
                                        "\", which is the host's end of the container's interface");
}

} // namespace sluice::cni
