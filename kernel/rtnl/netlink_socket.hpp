#pragma once
// A netlink socket: sends buffers of messages, reads answers by sequence number, keeps errno
// and the kernel's own text.

#include "kernel/rtnl/message.hpp"
#include "net/result.hpp"
#include "net/unique_fd.hpp"

#include <algorithm>
#include <functional>
#include <linux/netlink.h>
#include <memory>
#include <string>
#include <vector>

namespace sluice::kernel::rtnl {

/// Walks the messages of one datagram until `visit` returns false.
template <class Fn> void for_each_message(std::span<const std::uint8_t> datagram, Fn visit) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto *message = reinterpret_cast<const nlmsghdr *>(datagram.data());
    if (message->nlmsg_len < sizeof(nlmsghdr) || message->nlmsg_len > datagram.size())
      return;
    if (!visit(*message))
      return;
    datagram =
        datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(message->nlmsg_len), datagram.size()));
  }
}

/// What the kernel answered to one message.
struct Answer {
  std::uint32_t sequence = 0;
  int err = 0;      ///< a positive errno; 0: done
  std::string text; ///< NLMSGERR_ATTR_MSG, or empty
};

/// "<doing> (kernel: <text>): <strerror>"
Error error_of(const Answer &answer, const std::string &doing);

/// Not thread-safe. Extended acks are on, for dumps strict checking, for many messages
/// at once capped acks.
class NetlinkSocket {
public:
  /// `protocol`: NETLINK_ROUTE or another of netlink(7).
  static Result<NetlinkSocket> open(int protocol = NETLINK_ROUTE);

  /// Numbers the message and appends it to what `send` will send.
  std::uint32_t queue(Message &message);
  int fd() const noexcept { return fd_.get(); }
  std::size_t queued_bytes() const noexcept { return buffer_.size(); }
  std::size_t queued_messages() const noexcept { return queued_; }
  /// Sends what is queued in one sendmsg(2) and returns the refusals. Only the last message asks
  /// for an answer in any case: the kernel answers in order, and always to what it refuses.
  Result<std::vector<Answer>> send();

  using Visit = std::function<void(const nlmsghdr &)>;
  /// Sends one request and calls `visit` for its one answer. An error has the kernel's text.
  Result<> ask(Message request, const std::string &doing, const Visit &visit);
  /// Sends a dump request and calls `visit` for each part. If the kernel says that the table
  /// changed meanwhile (NLM_F_DUMP_INTR), `restart` is called and all begins again. `before` is a
  /// request that goes with it in one datagram; its answer is visited too, first.
  Result<> dump(Message &request, const std::string &doing, const std::function<void()> &restart,
                const Visit &visit, Message *before = nullptr);

private:
  explicit NetlinkSocket(UniqueFd fd);
  Result<> send_bytes(std::span<const std::uint8_t> bytes);
  /// One datagram; the span is valid until the next call.
  Result<std::span<const std::uint8_t>> receive();
  enum class DumpEnd : std::uint8_t { complete, interrupted };
  Result<> send_dump(Message &request, Message *before);
  Result<DumpEnd> dump_once(std::uint32_t sequence, const std::string &doing, const Visit &visit);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  bool strict_ = false, roomy_ = false;
  std::vector<std::uint8_t> buffer_;
  std::size_t queued_ = 0;
  std::size_t last_at_ = 0; ///< where the last queued message begins
  std::unique_ptr<std::uint8_t[]>
      received_; ///< not cleared: a page that no answer reaches costs no page fault
};

} // namespace sluice::kernel::rtnl
