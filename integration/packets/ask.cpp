#include "integration/packets/ask.hpp"

#include "integration/packets/sctp.hpp"
#include "integration/packets/sockets.hpp"

#include <cerrno>
#include <cstring>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

namespace sluice::integration::packets {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint16_t kSctpTag = 0x5143;

bool is_ping(Protocol protocol) {
  return protocol != Protocol::tcp && protocol != Protocol::udp && protocol != Protocol::sctp;
}

int type_of(const Ask &what) {
  switch (what.protocol) {
  case Protocol::tcp:
    return SOCK_STREAM;
  case Protocol::udp:
    return SOCK_DGRAM;
  case Protocol::sctp:
    return what.sctp == Sctp::sockets ? SOCK_STREAM : SOCK_RAW;
  default:
    return SOCK_RAW;
  }
}

/// What an ICMP error said, from the socket's error queue.
struct IcmpError {
  int type = 0, code = 0;
  IpAddress offender;
  Port source, destination; ///< of the packet that it is about
};
std::optional<IcmpError> icmp_error_of(int fd) {
  alignas(cmsghdr) std::array<char, 512> control{};
  std::array<std::uint8_t, 512> bytes{};
  iovec data{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto size = ::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (size < 0)
    return std::nullopt;
  for (auto *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    const bool is_error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                          (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
    if (!is_error)
      continue;
    const auto *error = reinterpret_cast<const sock_extended_err *>(CMSG_DATA(c));
    if (error->ee_origin != SO_EE_ORIGIN_ICMP && error->ee_origin != SO_EE_ORIGIN_ICMP6)
      continue;
    KernelAddress offender;
    std::memcpy(&offender.storage, SO_EE_OFFENDER(error),
                c->cmsg_level == IPPROTO_IP ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    IcmpError got{error->ee_type, error->ee_code, offender.value().ip, {}, {}};
    if (size >= 4) { // the transport header
      got.source = Port(static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]));
      got.destination = Port(static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]));
    }
    return got;
  }
  return std::nullopt;
}

class Asking {
public:
  Asking(const Ask &what, std::chrono::milliseconds patience)
      : ask_(what), end_(Clock::now() + patience) {}

  Answer run() {
    const auto begin = Clock::now();
    auto opened = ask_.host->ns.run([this]() -> Result<UniqueFd> { return open(); });
    if (!opened) {
      broken(opened.error().what());
    } else {
      fd_ = std::move(*opened);
      talk();
    }
    answer_.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    return std::move(answer_);
  }

private:
  Family family() const { return ask_.to.ip.family(); }
  bool raw() const { return type_of(ask_) == SOCK_RAW; }
  bool stream() const { return type_of(ask_) == SOCK_STREAM; }

  Result<UniqueFd> open() {
    const bool named = raw() || ask_.protocol == Protocol::sctp;
    UniqueFd fd(::socket(domain_of(family()), type_of(ask_) | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         named ? static_cast<int>(ask_.protocol) : 0));
    if (!fd)
      return fail(Error::from_errno(errno, "socket"));
    const int on = 1;
    if (family() == Family::ipv4)
      ::setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    else
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto from = KernelAddress::of({ask_.from.ip, raw() ? Port(0) : ask_.from.port});
    if (::bind(fd.get(), from.get(), from.length) != 0)
      return fail(Error::from_errno(errno, "bind to " + ask_.from.str()));
    return fd;
  }

  void talk() {
    auto to = KernelAddress::of({ask_.to.ip, raw() ? Port(0) : ask_.to.port});
    int error = ::connect(fd_.get(), to.get(), to.length) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (wait_for(fd_.get(), POLLOUT, left()) == 0)
        return; // silent
      socklen_t length = sizeof error;
      ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    }
    answer_.client = local_of(fd_.get());
    if (raw())
      answer_.client.port = ask_.from.port;
    if (error == 0 && !stream())
      error = send_question();
    if (error != 0 && refused(error))
      return;
    listen();
  }

  int send_question() {
    std::vector<std::uint8_t> bytes{'?'};
    if (ask_.protocol == Protocol::sctp)
      bytes = encode({.source = ask_.from.port,
                      .destination = ask_.to.port,
                      .verification_tag = 0,
                      .chunk = SctpChunk::init,
                      .initiate_tag = kSctpTag,
                      .cookie = ""});
    else if (is_ping(ask_.protocol)) // an echo request; the checksum is ours in IPv4
      bytes = family() == Family::ipv4 ? std::vector<std::uint8_t>{8, 0, 0xf7, 0xfd, 0, 1, 0, 1}
                                       : std::vector<std::uint8_t>{128, 0, 0, 0, 0, 1, 0, 1};
    const bool sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
    return sent || errno == EPERM ? 0 : errno; // EPERM: a rule of this host dropped or rejected it
  }

  void listen() {
    for (int sent = 1;;) {
      const auto events = wait_for(fd_.get(), POLLIN, stream() ? left() : std::min(left(), 1000));
      if (events == 0 && left() == 0)
        return; // silent
      if (events == 0) {
        if (was_lost() && send_question() == 0)
          answer_.detail = ", sent " + std::to_string(++sent) + " times (no room for neighbours)";
        continue;
      }
      std::array<std::uint8_t, 2048> buffer{};
      const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN)
        continue;
      if (got < 0 && refused(errno))
        return;
      if (got < 0)
        continue;
      if (got == 0)
        return broken("closed without a word");
      if (const auto text = text_in(std::span(buffer).first(static_cast<std::size_t>(got))))
        return answered(*text);
    }
  }

  /// Since the last look, or some other packet of this machine was.
  bool was_lost() {
    const auto now = refused_neighbours();
    return now != std::exchange(refused_neighbours_, now);
  }

  /// Nothing: not for us.
  std::optional<std::string> text_in(std::span<const std::uint8_t> bytes) const {
    if (!raw())
      return std::string(bytes.begin(), bytes.end());
    const std::size_t header = family() == Family::ipv4 ? std::size_t{4} * (bytes[0] & 15U) : 0;
    bytes = bytes.subspan(std::min(header, bytes.size()));
    if (is_ping(ask_.protocol))
      return bytes.size() > 1 && (bytes[0] == 0 || bytes[0] == 129)
                 ? std::optional<std::string>("an echo reply")
                 : std::nullopt;
    const auto packet = decode_sctp(bytes);
    if (!packet || packet->chunk != SctpChunk::init_ack || packet->destination != ask_.from.port ||
        packet->source != ask_.to.port)
      return std::nullopt;
    return packet->cookie;
  }

  void answered(const std::string &text) {
    const auto identity = Identity::parse(text);
    if (!identity)
      return broken("answered \"" + text + "\"");
    answer_.kind = Answer::Kind::answered;
    answer_.identity = *identity;
    if (stream())
      answer_.connection = std::move(fd_);
  }

  /// False: it was about somebody else's packet. Raw sockets of one pair of addresses share errors.
  bool refused(int error) {
    if (error != ECONNREFUSED) {
      broken(std::strerror(error));
      return true;
    }
    if (stream() && ask_.protocol == Protocol::sctp) {
      answer_.kind = Answer::Kind::unreachable;
      return true;
    }
    const auto icmp = icmp_error_of(fd_.get());
    if (icmp && ask_.protocol == Protocol::sctp &&
        (icmp->source != ask_.from.port || icmp->destination != ask_.to.port))
      return false;
    const bool port_unreachable =
        icmp && (family() == Family::ipv4 ? icmp->type == 3 && icmp->code == 3
                                          : icmp->type == 1 && icmp->code == 4);
    if (icmp && !port_unreachable) {
      broken("ICMP type " + std::to_string(icmp->type) + " code " + std::to_string(icmp->code));
      return true;
    }
    answer_.kind = icmp ? Answer::Kind::unreachable : Answer::Kind::closed;
    if (icmp)
      answer_.detail = "from " + icmp->offender.str();
    return true;
  }

  void broken(std::string why) {
    answer_.kind = Answer::Kind::broken;
    answer_.detail = std::move(why);
  }

  int left() const {
    return static_cast<int>(std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count()));
  }

  const Ask &ask_;
  Clock::time_point end_;
  UniqueFd fd_;
  std::uint64_t refused_neighbours_ = refused_neighbours();
  Answer answer_;
};

} // namespace

std::string Answer::str() const {
  switch (kind) {
  case Kind::answered:
    return "answered at " + identity.at.str() + ", which saw " + identity.from.str();
  case Kind::unreachable:
    return "ICMP port unreachable " + detail;
  case Kind::closed:
    return "closed by the other end";
  case Kind::silent:
    return "silence" + detail;
  case Kind::broken:
    break;
  }
  return detail;
}

Answer ask(const Ask &what, std::chrono::milliseconds patience) {
  return Asking(what, patience).run();
}

bool echoes(int connection, const std::string &text) {
  std::size_t sent = 0;
  std::string back;
  while (back.size() < text.size()) {
    const short events = static_cast<short>(sent < text.size() ? POLLIN | POLLOUT : POLLIN);
    const auto ready = wait_for(connection, events, 5000);
    if (ready == 0)
      return false;
    if ((ready & POLLOUT) != 0 && sent < text.size()) {
      const auto some = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (some < 0 && errno != EAGAIN)
        return false;
      sent += some > 0 ? static_cast<std::size_t>(some) : 0;
    }
    if ((ready & (POLLIN | POLLERR | POLLHUP)) != 0) {
      std::array<char, 65536> buffer;
      const auto some = ::recv(connection, buffer.data(), buffer.size(), 0);
      if (some == 0 || (some < 0 && errno != EAGAIN))
        return false;
      if (some > 0)
        back.append(buffer.data(), static_cast<std::size_t>(some));
    }
  }
  return back == text;
}

} // namespace sluice::integration::packets
