#pragma once
// IPVS, the kernel's load balancer for connections (linux/ip_vs.h): virtual services and their
// destinations. `IpvsSocket` is the real one, by generic netlink; `fake::Ipvs` keeps its rules in
// memory.

#include "net/port.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <variant>

namespace sluice::kernel::ipvs {

/// Packets with this mark (all 32 bits of it), whatever they are addressed to. Not 0.
struct MarkId {
  Family family = Family::ipv4;
  std::uint32_t mark = 0;
  friend auto operator<=>(const MarkId &, const MarkId &) = default;
};
/// Packets to an address and port. Port 0, for a persistent service: any port.
struct AddressId {
  Protocol protocol = Protocol::tcp;
  SocketAddress address;
  friend auto operator<=>(const AddressId &, const AddressId &) = default;
};
/// What a virtual service is known by. A packet is looked up by its mark first.
using ServiceId = std::variant<MarkId, AddressId>;
Family family_of(const ServiceId &id) noexcept;
/// In the words of ipvsadm(8): "-t 192.0.2.1:80", "-f 7 -6".
std::string to_string(const ServiceId &id);

/// Bits of Service::flags: IP_VS_SVC_F_*. Persistence is not among them.
inline constexpr std::uint32_t kOnePacket = 0x04; ///< UDP: each packet is scheduled
/// sh, mh: on to the next if that one has weight 0
inline constexpr std::uint32_t kHashFallback = 0x08;
inline constexpr std::uint32_t kHashPorts = 0x10; ///< sh, mh: the source port counts too
inline constexpr std::uint32_t kSchedulerFlag3 = 0x20;

struct Service {
  ServiceId id;
  std::string scheduler = "rr"; ///< any that the kernel has: it loads its module
  std::uint32_t flags = 0;
  /// A client keeps its destination so long after its last connection.
  std::optional<std::chrono::seconds> persistence = {};
  /// How many leading bits of its address make a client; nothing: all of them.
  std::optional<unsigned> client_prefix_length = {};
  friend bool operator==(const Service &, const Service &) = default;
};

enum class Forwarding : std::uint8_t { masquerade = 0, local = 1, tunnel = 2, route = 3 };

struct Destination {
  SocketAddress address;
  Forwarding forwarding = Forwarding::masquerade;
  std::uint32_t weight = 1; ///< 0: its connections go on, it gets no new one
  /// No new connections from so many active ones on (0: no limit), again below `lower`.
  std::uint32_t upper_threshold = 0, lower_threshold = 0;
  friend bool operator==(const Destination &, const Destination &) = default;
};

/// Since the object was made.
struct Counters {
  std::uint64_t connections = 0, packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;
};
struct ServiceInfo {
  Service service;
  Counters counters;
};
struct DestinationInfo {
  Destination destination;
  std::uint32_t active = 0;     ///< connections that are established
  std::uint32_t inactive = 0;   ///< in any other state, those that are closing among them
  std::uint32_t persistent = 0; ///< clients that are kept here
  Counters counters;
};

/// How long an idle connection is remembered; 0 in `set_timeouts` keeps the present value.
struct Timeouts {
  std::chrono::seconds tcp{0}, tcp_fin{0}, udp{0};
  friend bool operator==(const Timeouts &, const Timeouts &) = default;
};
struct Version {
  unsigned major = 0, minor = 0, patch = 0;
  std::uint32_t connection_buckets = 0;
};

// ---- operations: what the kernel answers if it refuses -----------------------------------------

/// EEXIST if it is there; ENOENT if no scheduler has that name.
struct AddService {
  Service service;
};
/// ESRCH if it is not there.
struct EditService {
  Service service;
};
/// ESRCH if it is not there. Its connections end with their next packet.
struct RemoveService {
  ServiceId service;
};
/// ESRCH without the service, EEXIST if it is there.
struct AddDestination {
  ServiceId service;
  Destination destination;
};
/// ESRCH without the service, ENOENT if it is not there.
struct EditDestination {
  ServiceId service;
  Destination destination;
};
/// ESRCH without the service, ENOENT if it is not there. Its connections end with their next
/// packet.
struct RemoveDestination {
  ServiceId service;
  SocketAddress destination;
};
using Op = std::variant<AddService, EditService, RemoveService, AddDestination, EditDestination,
                        RemoveDestination>;
/// As ipvsadm(8) would be called: "-a -f 7 -r 10.0.0.1:80 -m -w 1".
std::string to_string(const Op &op);

/// One operation that the kernel refused.
struct Refusal {
  std::size_t operation; ///< index in what was given
  Error error;           ///< names the operation
};

/// Of one network namespace. Not thread-safe.
class Ipvs {
public:
  virtual ~Ipvs() = default;
  /// Tries each, in order; IPVS knows no transactions. An error only if the conversation broke.
  virtual Result<std::vector<Refusal>> apply_each(const std::vector<Op> &ops) = 0;
  /// The first refusal is the error; the other operations were tried nevertheless.
  Result<> apply(const std::vector<Op> &ops);
  /// Of both families, whoever made them; sorted.
  virtual Result<std::vector<ServiceInfo>> read_services() = 0;
  /// Sorted by address; ESRCH (not_found) without the service.
  virtual Result<std::vector<DestinationInfo>> read_destinations(const ServiceId &service) = 0;
  virtual Result<Timeouts> read_timeouts() = 0;
  virtual Result<> set_timeouts(const Timeouts &timeouts) = 0;
  virtual Result<Version> read_version() = 0;
};

class IpvsSocket final : public Ipvs {
public:
  /// In the calling thread's namespace. Makes the kernel load ip_vs if it can; `unsupported`, with
  /// what to do, if it has none.
  static Result<IpvsSocket> open();
  IpvsSocket(IpvsSocket &&) noexcept;
  IpvsSocket &operator=(IpvsSocket &&) noexcept;
  ~IpvsSocket() override;

  Result<std::vector<Refusal>> apply_each(const std::vector<Op> &ops) override;
  Result<std::vector<ServiceInfo>> read_services() override;
  Result<std::vector<DestinationInfo>> read_destinations(const ServiceId &service) override;
  Result<Timeouts> read_timeouts() override;
  Result<> set_timeouts(const Timeouts &timeouts) override;
  Result<Version> read_version() override;

private:
  struct Impl;
  explicit IpvsSocket(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kernel::ipvs
