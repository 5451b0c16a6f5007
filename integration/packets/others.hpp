#pragma once
// What somebody else's rules do on n1, beside the proxy's: the statements `host ...`.

#include "kernel/netns.hpp"
#include "kernel/nft/nft_socket.hpp"
#include "proxy/cases/world.hpp"

namespace sluice::integration::packets {

class Others {
public:
  Others(const kernel::NetNs &node, Family family) : node_(node), family_(family) {}
  ~Others();
  Others(const Others &) = delete;
  Others &operator=(const Others &) = delete;
  /// "drops P->L:80", "marks X 0x10", "lets-through cni0 0x10/0x4010".
  Result<> add(const std::vector<std::string> &words, const proxy::cases::World &world);

private:
  Result<> commit(kernel::nft::Batch batch);
  kernel::nft::TableId id() const { return {kernel::nft::table_family(family_), "somebody-else"}; }

  const kernel::NetNs &node_;
  Family family_;
  std::vector<kernel::nft::Rule> rules_;
};

} // namespace sluice::integration::packets
