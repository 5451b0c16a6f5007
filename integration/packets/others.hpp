#pragma once
// What somebody else's rules do on n1, beside the proxy's: the statements `host ...`.

#include "kernel/iptables.hpp"
#include "kernel/netns.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "proxy/cases/world.hpp"

namespace sluice::integration::packets {

class Others {
public:
  /// A policy of iptables is that of `flavour`.
  Others(const kernel::NetNs &node, Family family, kernel::iptables::Flavour flavour)
      : node_(node), family_(family), flavour_(flavour) {}
  Others(const Others &) = delete;
  Others &operator=(const Others &) = delete;
  /// "drops P->L:80", "marks X 0x10", "lets-through cni0 0x10/0x4010", "forwards nothing".
  Result<> add(const std::vector<std::string> &words, const proxy::cases::World &world);
  /// Everything that was added. Errors: busy, as from the tool; then it is to be called again.
  Result<> take_back();

private:
  Result<> set_forward_policy(const char *policy);
  Result<> commit(kernel::nft::Batch batch);
  kernel::nft::TableId id() const { return {kernel::nft::table_family(family_), "somebody-else"}; }

  const kernel::NetNs &node_;
  Family family_;
  kernel::iptables::Flavour flavour_;
  bool forwards_nothing_ = false;
  std::vector<kernel::nft::Rule> rules_;
};

} // namespace sluice::integration::packets
