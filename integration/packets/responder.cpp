#include "integration/packets/responder.hpp"

#include "integration/packets/sctp.hpp"
#include "integration/packets/sockets.hpp"

#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sluice::integration::packets {
namespace {

using proxy::cases::At;

Result<UniqueFd> bound_socket(const SocketAddress &at, int type, int protocol = 0) {
  const auto family = at.ip.family();
  UniqueFd fd(::socket(domain_of(family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd)
    return fail(Error::from_errno(errno, "socket"));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == Family::ipv6)
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (family == Family::ipv4)
    ::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  else
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  // The gateway answers from addresses that no interface has.
  ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  auto address = KernelAddress::of(at);
  if (type != SOCK_RAW && ::bind(fd.get(), address.get(), address.length) != 0)
    return fail(Error::from_errno(errno, "bind to " + at.str()));
  if (type == SOCK_STREAM && ::listen(fd.get(), 512) != 0)
    return fail(Error::from_errno(errno, "listen"));
  return fd;
}

/// A datagram with the address it was sent to, from which it can be answered.
struct Datagram {
  std::array<std::uint8_t, 2048> bytes;
  std::size_t size = 0;
  KernelAddress from;
  IpAddress to;
};

std::optional<Datagram> receive(int fd) {
  Datagram got;
  alignas(cmsghdr) std::array<char, 256> control{};
  iovec data{got.bytes.data(), got.bytes.size()};
  msghdr message{};
  message.msg_name = got.from.get();
  message.msg_namelen = got.from.length;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto size = ::recvmsg(fd, &message, 0);
  if (size < 0)
    return std::nullopt;
  got.size = static_cast<std::size_t>(size);
  got.from.length = message.msg_namelen;
  for (auto *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      got.to = IpAddress::from_v4(ntohl(info.ipi_addr.s_addr));
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      got.to = IpAddress::from_bytes({info.ipi6_addr.s6_addr, 16});
    }
  return got;
}

/// Back to whom it came from, with the address it went to as the source.
void answer(int fd, Datagram &to, std::span<const std::uint8_t> bytes) {
  alignas(cmsghdr) std::array<char, 256> control{};
  iovec data{const_cast<std::uint8_t *>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_name = to.from.get();
  message.msg_namelen = to.from.length;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  auto *c = reinterpret_cast<cmsghdr *>(control.data());
  if (to.to.is_v4()) {
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(to.to.v4());
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
    message.msg_controllen = CMSG_SPACE(sizeof info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, to.to.bytes().data(), 16);
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
    message.msg_controllen = CMSG_SPACE(sizeof info);
  }
  ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

} // namespace

std::string Identity::str() const { return at.str() + " " + from.str() + "\n"; }

std::optional<Identity> Identity::parse(const std::string &text) {
  std::istringstream in(text);
  std::string at, from;
  in >> at >> from;
  const auto first = SocketAddress::parse(at), second = SocketAddress::parse(from);
  if (!first || !second)
    return std::nullopt;
  return Identity{*first, *second};
}

const std::vector<std::uint16_t> &Responder::ports() {
  static const std::vector<std::uint16_t> all = {53,   80,   81,   3001, 3002, 5353,
                                                 5454, 8080, 8081, 8443, 9090};
  return all;
}

bool has_sctp_sockets() {
  return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP)).get() >= 0;
}

Result<std::unique_ptr<Responder>> Responder::start(const Net &net, Sctp sctp) {
  std::unique_ptr<Responder> made(new Responder);
  made->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  made->wake_ = UniqueFd(::dup(wake.get()));
  SLUICE_TRY(made->add(Kind::wake, Family::ipv4, std::move(wake)), "wake");
  for (const auto &[name, host] : net.hosts()) {
    if (name == "lan")
      continue;
    SLUICE_TRY(host.ns.run([&, &at = host] { return made->listen(at); }), "listen in " + name);
    if (sctp == Sctp::by_hand)
      SLUICE_TRY(host.ns.run([&, &at = host] { return made->listen_by_hand(at); }), name);
  }
  for (const auto &place : proxy::cases::places())
    if (sctp == Sctp::sockets && (place.at == At::pod || place.at == At::remote)) {
      const auto &host = net.host_of(place.name);
      SLUICE_TRY(host.ns.run([&] { return made->listen_for_associations(place, host); }), "SCTP");
    }
  made->thread_ = std::thread([responder = made.get()] { responder->serve(); });
  return made;
}

Responder::~Responder() {
  const std::uint64_t one = 1;
  if (thread_.joinable() && ::write(wake_.get(), &one, sizeof one) == sizeof one)
    thread_.join();
}

Result<> Responder::listen(const Host &host) {
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const auto any = unspecified(family);
    for (const auto port : ports()) {
      SLUICE_ASSIGN(auto tcp, bound_socket({any, Port(port)}, SOCK_STREAM), host.name);
      SLUICE_TRY(add(Kind::listener, family, std::move(tcp)), "TCP");
      SLUICE_ASSIGN(auto udp, bound_socket({any, Port(port)}, SOCK_DGRAM), host.name);
      SLUICE_TRY(add(Kind::datagrams, family, std::move(udp)), "UDP");
    }
  }
  return {};
}

Result<> Responder::listen_by_hand(const Host &host) {
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    SLUICE_ASSIGN(auto sctp, bound_socket({unspecified(family), Port(0)}, SOCK_RAW, IPPROTO_SCTP),
                  host.name);
    SLUICE_TRY(add(Kind::sctp, family, std::move(sctp)), "SCTP");
  }
  return {};
}

/// At each address by itself: one that listens at all of them tells its peer of all.
Result<> Responder::listen_for_associations(const proxy::cases::Place &place, const Host &host) {
  const auto v4 = IpAddress::parse(place.address).value();
  for (const auto &ip : {v4, proxy::cases::as_ipv6(v4)})
    for (const auto port : {Port(53), Port(80)}) {
      SLUICE_ASSIGN(auto sctp, bound_socket({ip, port}, SOCK_STREAM, IPPROTO_SCTP), host.name);
      SLUICE_TRY(add(Kind::listener, ip.family(), std::move(sctp)), "listen");
    }
  return {};
}

Result<> Responder::add(Kind kind, Family family, UniqueFd fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd.get();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0)
    return fail(Error::from_errno(errno, "epoll_ctl"));
  const int number = fd.get();
  entries_.insert_or_assign(number, Entry{kind, family, std::move(fd)});
  return {};
}

void Responder::serve() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const auto found = entries_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (found == entries_.end())
        continue;
      auto &entry = found->second;
      switch (entry.kind) {
      case Kind::wake:
        return;
      case Kind::listener:
        accept_from(entry);
        break;
      case Kind::connection:
        echo(entry);
        break;
      case Kind::datagrams:
        answer_datagrams(entry);
        break;
      case Kind::sctp:
        answer_sctp(entry);
        break;
      }
    }
  }
}

void Responder::accept_from(const Entry &entry) {
  UniqueFd fd(::accept4(entry.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd)
    return;
  const auto text = Identity{local_of(fd.get()), peer_of(fd.get())}.str();
  if (::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0)
    (void)add(Kind::connection, entry.family, std::move(fd)); // the client sees it closed
}

void Responder::echo(Entry &entry) {
  std::array<char, 65536> buffer;
  const auto got = ::recv(entry.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got <= 0 || buffer[0] == kPleaseClose || buffer[0] == kPleaseReset) {
    const linger at_once{1, 0};
    if (got > 0 && buffer[0] == kPleaseReset)
      ::setsockopt(entry.fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    // A program that is about to be executed may still hold a copy, which would go on reporting.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry.fd.get(), nullptr);
    entries_.erase(entry.fd.get());
    return;
  }
  for (ssize_t sent = 0; sent < got;) {
    const auto some = ::send(entry.fd.get(), buffer.data() + sent,
                             static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (some < 0 && errno != EAGAIN)
      return;
    if (some < 0)
      wait_for(entry.fd.get(), EPOLLOUT, 1000);
    else
      sent += some;
  }
}

void Responder::answer_datagrams(const Entry &entry) {
  auto got = receive(entry.fd.get());
  if (!got)
    return;
  const auto text = Identity{{got->to, local_of(entry.fd.get()).port}, got->from.value()}.str();
  answer(entry.fd.get(), *got, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
}

void Responder::answer_sctp(const Entry &entry) {
  auto got = receive(entry.fd.get());
  if (!got)
    return;
  const std::size_t header =
      entry.family == Family::ipv4 ? std::size_t{4} * (got->bytes[0] & 15U) : 0; // as raw(7) says
  const auto packet = decode_sctp(std::span(got->bytes).subspan(0, got->size).subspan(header));
  if (!packet || packet->chunk != SctpChunk::init || packet->destination.value == 9)
    return;
  const auto text =
      Identity{{got->to, packet->destination}, {got->from.value().ip, packet->source}}.str();
  if (entry.family == Family::ipv6) // a raw socket's port is a protocol
    reinterpret_cast<sockaddr_in6 *>(&got->from.storage)->sin6_port = 0;
  answer(entry.fd.get(), *got,
         encode({.source = packet->destination,
                 .destination = packet->source,
                 .verification_tag = packet->initiate_tag,
                 .chunk = SctpChunk::init_ack,
                 .initiate_tag = 7,
                 .cookie = text}));
}

} // namespace sluice::integration::packets
