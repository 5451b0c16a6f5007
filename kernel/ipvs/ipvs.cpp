#include "kernel/ipvs/ipvs.hpp"

namespace sluice::kernel::ipvs {
namespace {

struct Words {
  std::string operator()(const AddService &op) const { return "-A " + service(op.service); }
  std::string operator()(const EditService &op) const { return "-E " + service(op.service); }
  std::string operator()(const RemoveService &op) const { return "-D " + to_string(op.service); }
  std::string operator()(const AddDestination &op) const {
    return "-a " + to_string(op.service) + destination(op.destination);
  }
  std::string operator()(const EditDestination &op) const {
    return "-e " + to_string(op.service) + destination(op.destination);
  }
  std::string operator()(const RemoveDestination &op) const {
    return "-d " + to_string(op.service) + " -r " + op.destination.str();
  }

  static std::string service(const Service &service) {
    auto text = to_string(service.id) + " -s " + service.scheduler;
    if (service.persistence)
      text += " -p " + std::to_string(service.persistence->count());
    if (service.client_prefix_length)
      text += " -M " + std::to_string(*service.client_prefix_length);
    if (service.flags != 0)
      text += " flags " + std::to_string(service.flags);
    return text;
  }
  static std::string destination(const Destination &destination) {
    constexpr std::array kMethods{" -m", " local", " -i", " -g"};
    auto text = " -r " + destination.address.str() +
                kMethods[static_cast<std::size_t>(destination.forwarding)] + " -w " +
                std::to_string(destination.weight);
    if (destination.upper_threshold != 0)
      text += " -x " + std::to_string(destination.upper_threshold) + " -y " +
              std::to_string(destination.lower_threshold);
    return text;
  }
};

} // namespace

Family family_of(const ServiceId &id) noexcept {
  if (const auto *mark = std::get_if<MarkId>(&id))
    return mark->family;
  return std::get<AddressId>(id).address.ip.family();
}

std::string to_string(const ServiceId &id) {
  if (const auto *mark = std::get_if<MarkId>(&id))
    return "-f " + std::to_string(mark->mark) + (mark->family == Family::ipv6 ? " -6" : "");
  const auto &address = std::get<AddressId>(id);
  const auto *option = address.protocol == Protocol::tcp   ? "-t "
                       : address.protocol == Protocol::udp ? "-u "
                                                           : "--sctp-service ";
  return option + address.address.str();
}

std::string to_string(const Op &op) { return "ipvs " + std::visit(Words{}, op); }

Result<> Ipvs::apply(const std::vector<Op> &ops) {
  auto refused = apply_each(ops);
  if (!refused)
    return fail(std::move(refused.error()));
  if (!refused->empty())
    return fail(std::move(refused->front().error));
  return {};
}

} // namespace sluice::kernel::ipvs
