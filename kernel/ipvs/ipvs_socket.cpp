#include "kernel/ipvs/ipvs.hpp"
#include "kernel/ipvs/messages.hpp"
#include "kernel/rtnl/netlink_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <map>

namespace sluice::kernel::ipvs {
namespace {

/// Their refusals all have room in the socket's buffer.
constexpr std::size_t kOperationsAtOnce = 256;
/// Two that agree are looked for among these.
constexpr int kReadings = 10;

} // namespace

struct IpvsSocket::Impl {
  rtnl::NetlinkSocket socket;
  FamilyNumber family;

  /// Sorted. May lack one, or have one twice, if another network namespace changes meanwhile.
  Result<std::vector<ServiceInfo>> read_services_once();

  /// One question, one answer that `decode` understands.
  template <class Decode>
  auto ask(rtnl::Message request, const std::string &doing, Decode decode)
      -> Result<typename decltype(decode(std::declval<const nlmsghdr &>()))::value_type> {
    decltype(decode(std::declval<const nlmsghdr &>())) answer;
    SLUICE_TRY(socket.ask(std::move(request), doing,
                          [&](const nlmsghdr &message) { answer = decode(message); }),
               "ipvs");
    if (!answer)
      return fail(Errc::kernel, "ipvs: " + doing + ": the answer cannot be read");
    return std::move(*answer);
  }
};

IpvsSocket::IpvsSocket(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
IpvsSocket::IpvsSocket(IpvsSocket &&) noexcept = default;
IpvsSocket &IpvsSocket::operator=(IpvsSocket &&) noexcept = default;
IpvsSocket::~IpvsSocket() = default;

Result<IpvsSocket> IpvsSocket::open() {
  SLUICE_ASSIGN(auto socket, rtnl::NetlinkSocket::open(NETLINK_GENERIC), "open IPVS");
  std::optional<FamilyNumber> family;
  auto asked = socket.ask(family_request(), "open IPVS",
                          [&](const nlmsghdr &message) { family = family_in(message); });
  if (!asked && asked.error().sys() != ENOENT)
    return fail(std::move(asked.error()));
  if (!family)
    return fail(Errc::unsupported,
                "open IPVS: this kernel has no IPVS (CONFIG_IP_VS), or its module is not loaded: "
                "modprobe ip_vs");
  return IpvsSocket(std::unique_ptr<Impl>(new Impl{std::move(socket), *family}));
}

Result<std::vector<Refusal>> IpvsSocket::apply_each(const std::vector<Op> &ops) {
  std::vector<Refusal> refused;
  auto &socket = impl_->socket;
  for (std::size_t next = 0; next < ops.size();) {
    std::map<std::uint32_t, std::size_t> operation_of; // by sequence number
    for (; next < ops.size() && operation_of.size() < kOperationsAtOnce; ++next) {
      auto message = encode(impl_->family, ops[next]);
      if (message)
        operation_of.emplace(socket.queue(*message), next);
      else
        refused.push_back({next, Error(message.error()).in(to_string(ops[next]))});
    }
    SLUICE_ASSIGN(const auto answers, socket.send(), "change IPVS");
    for (const auto &answer : answers) {
      const auto operation = operation_of.at(answer.sequence);
      refused.push_back({operation, rtnl::error_of(answer, to_string(ops[operation]))});
    }
  }
  std::stable_sort(refused.begin(), refused.end(),
                   [](const Refusal &a, const Refusal &b) { return a.operation < b.operation; });
  return refused;
}

Result<std::vector<ServiceInfo>> IpvsSocket::Impl::read_services_once() {
  std::vector<ServiceInfo> services;
  auto request = services_request(family);
  auto read = socket.dump(
      request, "read the virtual services", [&] { services.clear(); },
      [&](const nlmsghdr &message) {
        if (auto service = service_in(message))
          services.push_back(std::move(*service));
      });
  if (!read)
    return fail(std::move(read.error()));
  std::sort(services.begin(), services.end(),
            [](const ServiceInfo &a, const ServiceInfo &b) { return a.service.id < b.service.id; });
  return services;
}

// The kernel goes on with a dump at "the n-th of all network namespaces", and does not say so when
// one that is ahead of it went or came meanwhile (ip_vs_genl_dump_services in
// net/netfilter/ipvs/ip_vs_ctl.c): it leaves out a service of ours, or sends it twice. So: what two
// readings agree on.
Result<std::vector<ServiceInfo>> IpvsSocket::read_services() {
  SLUICE_ASSIGN(auto services, impl_->read_services_once(), "ipvs");
  for (int more = 1; more < kReadings; ++more) {
    SLUICE_ASSIGN(auto again, impl_->read_services_once(), "ipvs");
    if (std::equal(services.begin(), services.end(), again.begin(), again.end(),
                   [](const auto &a, const auto &b) { return a.service == b.service; }))
      return again;
    services = std::move(again);
  }
  return fail(Errc::busy, "ipvs: read the virtual services: they change faster than they are read");
}

Result<std::vector<DestinationInfo>> IpvsSocket::read_destinations(const ServiceId &service) {
  const auto doing = "read the destinations of " + to_string(service);
  // The kernel answers a dump of an unknown service as it answers one of an empty service.
  std::vector<DestinationInfo> destinations;
  bool known = false;
  auto request = destinations_request(impl_->family, service);
  SLUICE_TRY(impl_->socket.dump(
                 request, doing, [&] { destinations.clear(); },
                 [&](const nlmsghdr &message) {
                   if (auto destination = destination_in(message, family_of(service)))
                     destinations.push_back(std::move(*destination));
                 }),
             "ipvs");
  known = !destinations.empty();
  if (!known) {
    SLUICE_ASSIGN(const auto services, read_services(), doing);
    known = std::any_of(services.begin(), services.end(),
                        [&](const ServiceInfo &info) { return info.service.id == service; });
  }
  if (!known)
    return fail(Error::from_errno(ESRCH, doing));
  std::sort(destinations.begin(), destinations.end(), [](const auto &a, const auto &b) {
    return a.destination.address < b.destination.address;
  });
  return destinations;
}

Result<Timeouts> IpvsSocket::read_timeouts() {
  return impl_->ask(timeouts_request(impl_->family), "read the timeouts", timeouts_in);
}

Result<> IpvsSocket::set_timeouts(const Timeouts &timeouts) {
  auto request = set_timeouts_request(impl_->family, timeouts);
  impl_->socket.queue(request);
  SLUICE_ASSIGN(const auto answers, impl_->socket.send(), "set the timeouts of IPVS");
  if (!answers.empty())
    return fail(rtnl::error_of(answers.front(), "set the timeouts of IPVS"));
  return {};
}

Result<Version> IpvsSocket::read_version() {
  return impl_->ask(version_request(impl_->family), "read the version", version_in);
}

} // namespace sluice::kernel::ipvs
