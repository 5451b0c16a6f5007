#pragma once
// nf_tables in the kernel's own terms (linux/netfilter/nf_tables.h): batches of messages, the
// expressions of a rule, lists of rules. For the calling thread's namespace. It is here and not the
// library behind `kernel/nft`, because a plugin lives two milliseconds and is one small file.

#include "kernel/rtnl/message.hpp"
#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <functional>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::cni::nft {

using kernel::rtnl::Message;

/// NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 or NFPROTO_BRIDGE.
struct Table {
  std::uint8_t family = NFPROTO_INET;
  std::string name;
};

std::uint8_t family_number(Family family) noexcept;

/// Makes a chain a base chain.
struct Hook {
  std::uint32_t number = 0; ///< NF_INET_PRE_ROUTING, ...
  std::int32_t priority = 0;
  const char *type = "nat"; ///< or "filter"
};
inline constexpr std::int32_t kDestinationNat = -100; ///< NF_IP_PRI_NAT_DST
inline constexpr std::int32_t kSourceNat = 100;       ///< NF_IP_PRI_NAT_SRC

/// What a rule carries beside its expressions. nft(8) shows the comment.
struct RuleNote {
  std::string comment; ///< cut to 128 bytes, as nft(8) does
  std::string network; ///< of the attachment it belongs to; nft(8) passes it over
};

/// Appends the expressions of one rule to its message.
class Expressions {
public:
  explicit Expressions(Message &message) : message_(message) {}

  void meta_is(std::uint32_t key, std::span<const std::uint8_t> value, bool equal = true);
  /// Source or destination of the packet's IP header lies in `network`, or does not.
  void source(const Cidr &network, bool inside = true);
  void destination(const Cidr &network, bool inside = true);
  /// Transport protocol and destination port.
  void port(std::uint8_t protocol, std::uint16_t port);
  void destination_is_local();
  /// The connection's destination was translated.
  void is_translated();
  /// The frame's source address.
  void source_mac(std::span<const std::uint8_t> mac);
  void jump(const std::string &chain) { verdict(NFT_JUMP, chain); }
  void leave_chain() { verdict(NFT_RETURN, {}); }
  void drop() { verdict(NF_DROP, {}); }
  void translate_to(const IpAddress &ip, std::uint16_t port);
  void masquerade();

private:
  template <class Fill> void expression(const char *name, Fill fill);
  void number(int attribute, std::uint32_t value);
  void data(int attribute, std::span<const std::uint8_t> bytes);
  void compare(bool equal, std::span<const std::uint8_t> bytes);
  void payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length);
  void mask(std::span<const std::uint8_t> bits);
  void immediate(std::uint32_t destination, std::span<const std::uint8_t> bytes);
  void verdict(int code, const std::string &chain);
  void address(unsigned offset, const Cidr &network, bool inside);

  Message &message_;
};

using Fill = std::function<void(Expressions &)>;

/// Operations that happen together or not at all.
class Batch {
public:
  Batch();
  /// Table and chains stay as they are if they exist.
  void table(const Table &table, const std::string &comment = {});
  void chain(const Table &table, const std::string &name, const std::optional<Hook> &hook = {});
  void flush(const Table &table, const std::string &chain);
  /// It must have no rule and nobody who jumps to it.
  void remove_chain(const Table &table, const std::string &chain);
  void append(const Table &table, const std::string &chain, const Fill &fill,
              const RuleNote &note = {});
  /// At the head of the chain.
  void insert(const Table &table, const std::string &chain, const Fill &fill,
              const RuleNote &note = {});
  void remove(const Table &table, const std::string &chain, std::uint64_t handle);
  bool empty() const noexcept { return messages_.size() == 1; }

private:
  friend class Socket;
  void rule(const Table &table, const std::string &chain, const Fill &fill, const RuleNote &note,
            std::uint16_t flags);
  std::vector<Message> messages_;
};

struct ListedRule {
  std::string chain;
  std::uint64_t handle = 0;
  RuleNote note;
};

class Socket {
public:
  static Result<Socket> open();
  /// not_found: a chain or rule of it is gone; somebody else was faster.
  Result<> commit(Batch batch, const std::string &doing);
  /// All rules of a table; of one chain, if it is named. Empty if there is no such table.
  Result<std::vector<ListedRule>> list(const Table &table, const std::string &chain = {});
  /// How many rules each of the chains has, asked for in one message; 0 for one that is not there.
  Result<std::vector<std::uint32_t>> count_rules(const Table &table,
                                                 const std::vector<std::string> &chains);
  Result<bool> has_chain(const Table &table, const std::string &chain);

private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<> send(std::vector<Message> &messages);
  UniqueFd fd_;
};

} // namespace sluice::cni::nft
