#pragma once
// Operations and answers as messages of the generic netlink family "IPVS". Pure.

#include "kernel/ipvs/ipvs.hpp"
#include "kernel/rtnl/message.hpp"

namespace sluice::kernel::ipvs {

/// The number that the kernel gave a generic netlink family.
using FamilyNumber = std::uint16_t;

/// Asks for the number of the family "IPVS".
rtnl::Message family_request();
std::optional<FamilyNumber> family_in(const nlmsghdr &message);

/// invalid_input for a scheduler's name that none can have.
Result<rtnl::Message> encode(FamilyNumber family, const Op &op);

rtnl::Message services_request(FamilyNumber family);
rtnl::Message destinations_request(FamilyNumber family, const ServiceId &service);
rtnl::Message timeouts_request(FamilyNumber family);
rtnl::Message set_timeouts_request(FamilyNumber family, const Timeouts &timeouts);
rtnl::Message version_request(FamilyNumber family);

/// Nothing for a message that is none of these, or of a protocol without a name here.
std::optional<ServiceInfo> service_in(const nlmsghdr &message);
std::optional<DestinationInfo> destination_in(const nlmsghdr &message, Family family);
std::optional<Timeouts> timeouts_in(const nlmsghdr &message);
std::optional<Version> version_in(const nlmsghdr &message);

} // namespace sluice::kernel::ipvs
