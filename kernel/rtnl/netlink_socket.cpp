#include "kernel/rtnl/netlink_socket.hpp"

#include <cerrno>
#include <cstring>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

namespace sluice::kernel::rtnl {
namespace {

constexpr int kDumpAttempts = 20;
/// The refusals of so many messages fit into a receive buffer as the kernel makes it.
constexpr std::size_t kFewMessages = 32;
constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr int kPatienceMs = 10'000;

/// uapi/linux/netlink.h: nlmsgerr, then the refused message (left out if NLM_F_CAPPED), then
/// attributes if NLM_F_ACK_TLVS.
std::string extended_text(const nlmsghdr &message, const nlmsgerr &error) {
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0)
    return {};
  std::size_t skip = sizeof(nlmsghdr) + sizeof(nlmsgerr);
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0)
    skip += NLMSG_ALIGN(error.msg.nlmsg_len) - sizeof(nlmsghdr);
  if (skip >= message.nlmsg_len)
    return {};
  auto *first = reinterpret_cast<nlattr *>(
      const_cast<std::uint8_t *>(reinterpret_cast<const std::uint8_t *>(&message) + skip));
  auto *found = nla_find(first, static_cast<int>(message.nlmsg_len - skip), NLMSGERR_ATTR_MSG);
  if (!found)
    return {};
  const auto *text = static_cast<const char *>(nla_data(found));
  return {text, ::strnlen(text, static_cast<std::size_t>(nla_len(found)))};
}

Answer answer_in(const nlmsghdr &message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr)))
    return {message.nlmsg_seq, EPROTO, "an error message that is too short"};
  const auto &error = *static_cast<const nlmsgerr *>(nlmsg_data(&message));
  return {message.nlmsg_seq, -error.error, extended_text(message, error)};
}

void set_option(int fd, int level, int option, int value) {
  // Each is an improvement that an old kernel may not know; nothing depends on it.
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

} // namespace

Error error_of(const Answer &answer, const std::string &doing) {
  return Error::from_errno(answer.err,
                           answer.text.empty() ? doing : doing + " (kernel: " + answer.text + ")");
}

NetlinkSocket::NetlinkSocket(UniqueFd fd)
    : fd_(std::move(fd)), received_(std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveBytes)) {
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd)
    return fail(Error::from_errno(errno, "open a netlink socket"));
  set_option(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1);
  return NetlinkSocket(std::move(fd));
}

std::uint32_t NetlinkSocket::queue(Message &message) {
  message.header().nlmsg_seq = ++sequence_;
  message.header().nlmsg_flags &= static_cast<std::uint16_t>(~NLM_F_ACK);
  const auto bytes = message.bytes();
  last_at_ = buffer_.size();
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  buffer_.resize(NLMSG_ALIGN(buffer_.size()));
  ++queued_;
  return sequence_;
}

Result<> NetlinkSocket::send_bytes(std::span<const std::uint8_t> bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    if (::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                 reinterpret_cast<const sockaddr *>(&kernel), sizeof kernel) >= 0)
      return {};
    if (errno != EINTR)
      return fail(Error::from_errno(errno, "send to netlink"));
  }
}

Result<std::span<const std::uint8_t>> NetlinkSocket::receive() {
  for (;;) {
    // The kernel has answered, as a rule, before send(2) returned.
    const auto got = ::recv(fd_.get(), received_.get(), kReceiveBytes, MSG_TRUNC | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && errno == EAGAIN) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, kPatienceMs) == 0)
        return fail(Errc::timeout, "receive from netlink: no answer in 10 s");
      continue;
    }
    if (got < 0)
      return fail(Error::from_errno(errno, "receive from netlink"));
    if (static_cast<std::size_t>(got) <= kReceiveBytes)
      return std::span<const std::uint8_t>(received_.get(), static_cast<std::size_t>(got));
    return fail(Errc::kernel, "receive from netlink: a message of " + std::to_string(got) +
                                  " bytes is larger than any that is known");
  }
}

Result<std::vector<Answer>> NetlinkSocket::send() {
  std::vector<Answer> refused;
  if (queued_ == 0)
    return refused;
  reinterpret_cast<nlmsghdr *>(buffer_.data() + last_at_)->nlmsg_flags |= NLM_F_ACK;
  const auto first = sequence_ - static_cast<std::uint32_t>(queued_) + 1;
  if (queued_ > kFewMessages && !std::exchange(roomy_, true)) {
    set_option(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20);
    set_option(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1);
  }
  const auto sent = send_bytes(buffer_);
  buffer_.clear();
  queued_ = 0;
  if (!sent)
    return fail(Error(sent.error()));
  for (bool last_seen = false; !last_seen;) {
    SLUICE_ASSIGN(const auto datagram, receive(), "read the answers");
    for_each_message(datagram, [&](const nlmsghdr &message) {
      // Older sequence numbers belong to a conversation that was given up.
      if (message.nlmsg_type != NLMSG_ERROR || message.nlmsg_seq - first > sequence_ - first)
        return true;
      if (auto answer = answer_in(message); answer.err != 0)
        refused.push_back(std::move(answer));
      last_seen = last_seen || message.nlmsg_seq == sequence_;
      return true;
    });
  }
  return refused;
}

Result<> NetlinkSocket::ask(Message request, const std::string &doing, const Visit &visit) {
  request.header().nlmsg_seq = ++sequence_;
  SLUICE_TRY(send_bytes(request.bytes()), doing);
  for (;;) {
    SLUICE_ASSIGN(const auto datagram, receive(), doing);
    std::optional<Answer> answer;
    for_each_message(datagram, [&](const nlmsghdr &message) {
      if (message.nlmsg_seq != sequence_)
        return true;
      if (message.nlmsg_type == NLMSG_ERROR) {
        answer = answer_in(message);
      } else {
        visit(message);
        answer = Answer{};
      }
      return false;
    });
    if (!answer)
      continue;
    if (answer->err != 0)
      return fail(error_of(*answer, doing));
    return {};
  }
}

Result<NetlinkSocket::DumpEnd>
NetlinkSocket::dump_once(std::uint32_t sequence, const std::string &doing, const Visit &visit) {
  bool interrupted = false;
  std::optional<Answer> end;
  while (!end) {
    SLUICE_ASSIGN(const auto datagram, receive(), doing);
    for_each_message(datagram, [&](const nlmsghdr &message) {
      if (message.nlmsg_seq != sequence)
        return true;
      interrupted = interrupted || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (message.nlmsg_type == NLMSG_ERROR) {
        end = answer_in(message);
      } else if (message.nlmsg_type == NLMSG_DONE) {
        int err = 0;
        if (message.nlmsg_len >= NLMSG_LENGTH(sizeof err))
          std::memcpy(&err, nlmsg_data(&message), sizeof err);
        end = Answer{sequence, -err, {}};
      } else {
        visit(message);
      }
      return !end;
    });
  }
  if (end->err != 0)
    return fail(error_of(*end, doing));
  return interrupted ? DumpEnd::interrupted : DumpEnd::complete;
}

Result<> NetlinkSocket::send_dump(Message &request, Message *before) {
  request.header().nlmsg_seq = ++sequence_;
  if (!before)
    return send_bytes(request.bytes());
  before->header().nlmsg_seq = sequence_;
  std::vector<std::uint8_t> both;
  for (const auto bytes : {before->bytes(), request.bytes()}) {
    both.insert(both.end(), bytes.begin(), bytes.end());
    both.resize(NLMSG_ALIGN(both.size()));
  }
  return send_bytes(both);
}

Result<> NetlinkSocket::dump(Message &request, const std::string &doing,
                             const std::function<void()> &restart, const Visit &visit,
                             Message *before) {
  request.header().nlmsg_flags |= NLM_F_DUMP;
  if (!std::exchange(strict_, true))
    set_option(fd_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    SLUICE_TRY(send_dump(request, before), doing);
    auto end = dump_once(sequence_, doing, visit);
    if (!end)
      return fail(std::move(end.error()));
    if (*end == DumpEnd::complete)
      return {};
  }
  return fail(Errc::busy, doing + ": the table changed during each of " +
                              std::to_string(kDumpAttempts) + " readings");
}

} // namespace sluice::kernel::rtnl
