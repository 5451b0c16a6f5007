#pragma once
// A batch as netlink messages, inside this library only. Elements, the hot path, are written
// attribute by attribute into one growing buffer; only rules go through libnftnl.

#include "kernel/nft/nft.hpp"

struct nlmsghdr;

namespace sluice::kernel::nft::detail {

/// What a message says: which op, and for elements the first of those it carries.
struct Origin {
  std::size_t op = 0, first_element = 0;
  std::size_t offset_bytes = 0; ///< of its nlmsghdr in the buffer
};

class Encoded {
public:
  /// BATCH_BEGIN has the sequence number `sequence`, the messages those that follow. The last one
  /// asks for an ack.
  Encoded(const Batch &batch, std::uint32_t sequence, std::optional<std::uint32_t> generation);

  std::span<std::uint8_t> bytes() noexcept { return {buffer_.get(), used_}; }
  std::uint32_t messages() const noexcept { return static_cast<std::uint32_t>(origins_.size()); }
  std::uint32_t first_sequence() const noexcept { return first_sequence_; }
  /// The op and element of the message `sequence`; with `attribute_offset` (NLMSGERR_ATTR_OFFS) the
  /// very element. Nothing for BATCH_BEGIN and BATCH_END.
  std::optional<Origin> origin(std::uint32_t sequence, std::uint32_t attribute_offset) const;

private:
  nlmsghdr *begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                  std::uint16_t resource);
  nlmsghdr *begin_op(std::uint16_t message, std::uint16_t flags);
  void end(nlmsghdr *header);
  void encode(Verb verb, const TableOp &op);
  void encode(Verb verb, const Chain &chain);
  void encode(Verb verb, const Set &set);
  void encode(Verb verb, const ElementsOp &op);
  void encode(Verb verb, const Rule &rule);
  void encode(Verb verb, const RuleHandle &rule);
  void encode(Verb verb, const FlushSet &flush);
  void encode(Verb verb, const FlushChain &flush);

  const TableId &table_;
  void make_room(std::size_t bytes);
  std::unique_ptr<std::uint8_t[]> buffer_; // not initialised: most of it is never touched
  std::size_t room_ = 0, used_ = 0;
  std::uint32_t first_sequence_, next_sequence_;
  std::uint32_t next_set_id_ = 1;
  std::vector<Origin> origins_;
  Origin now_;
  std::size_t last_message_ = 0;
};

} // namespace sluice::kernel::nft::detail
