// Segments that conntrack calls INVALID: answers out of the window must not end a connection
// (service-semantics.md D.5, H12, G 14.10), and what is not ours passes the node (G 14.11).

#include "proxy/tests/node/proxy_fixture.hpp"

#include <netinet/ip.h>
#include <netinet/tcp.h>

namespace sluice::proxy::test {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kLiberal{"--manage-sysctls", "--conntrack-tcp-be-liberal"};

/// A TCP segment without data, IPv4.
struct Segment {
  SocketAddress from, to;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
};

std::uint32_t u32_of(const IpAddress &ip) {
  const auto b = ip.bytes();
  return static_cast<std::uint32_t>(b[0]) << 24U | static_cast<std::uint32_t>(b[1]) << 16U |
         static_cast<std::uint32_t>(b[2]) << 8U | b[3];
}

/// RFC 1071 over the pseudo header and the header, which is all there is.
std::uint16_t checksum_of(const Segment &segment, const tcphdr &header) {
  std::uint32_t sum = IPPROTO_TCP + sizeof header;
  for (const auto ip : {u32_of(segment.from.ip), u32_of(segment.to.ip)})
    sum += (ip >> 16U) + (ip & 0xffffU);
  const auto *bytes = reinterpret_cast<const std::uint8_t *>(&header);
  for (std::size_t i = 0; i < sizeof header; i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8U | bytes[i + 1]);
  while (sum > 0xffffU)
    sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(~sum);
}

/// Sees the TCP segments that come to a namespace and sends others from there, beside its TCP.
class RawTcp {
public:
  explicit RawTcp(const kernel::NetNs &where) {
    fd_ = where
              .run([]() -> Result<UniqueFd> {
                UniqueFd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
                if (!fd)
                  return fail(Error::from_errno(errno, "open a raw socket"));
                return fd;
              })
              .value();
    const timeval patience{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  void send(const Segment &segment) {
    tcphdr header{};
    header.source = htons(segment.from.port.value);
    header.dest = htons(segment.to.port.value);
    header.seq = htonl(segment.seq);
    header.ack_seq = htonl(segment.ack);
    header.doff = 5;
    header.th_flags = segment.flags;
    header.window = htons(1000);
    header.check = htons(checksum_of(segment, header));
    const sockaddr_in to{.sin_family = AF_INET,
                         .sin_port = 0,
                         .sin_addr = {htonl(u32_of(segment.to.ip))},
                         .sin_zero = {}};
    ASSERT_EQ(::sendto(fd_.get(), &header, sizeof header, 0,
                       reinterpret_cast<const sockaddr *>(&to), sizeof to),
              static_cast<ssize_t>(sizeof header))
        << std::strerror(errno);
  }

  /// The next segment to `port`; its `seq` is what its sender sends next. Nothing after 10 s.
  std::optional<Segment> next_to(Port port) {
    std::array<std::uint8_t, 4096> bytes{};
    for (;;) {
      const auto got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
      if (got < static_cast<ssize_t>(sizeof(iphdr) + sizeof(tcphdr)))
        return std::nullopt;
      iphdr ip{};
      std::memcpy(&ip, bytes.data(), sizeof ip);
      tcphdr tcp{};
      std::memcpy(&tcp, bytes.data() + ip.ihl * 4, sizeof tcp);
      if (ntohs(tcp.dest) != port.value)
        continue;
      const auto data = static_cast<std::uint32_t>(got) - ip.ihl * 4U - tcp.doff * 4U;
      return Segment{{IpAddress::from_v4(ntohl(ip.saddr)), Port(ntohs(tcp.source))},
                     {IpAddress::from_v4(ntohl(ip.daddr)), Port(ntohs(tcp.dest))},
                     ntohl(tcp.seq) + data,
                     ntohl(tcp.ack_seq),
                     tcp.th_flags};
    }
  }

private:
  UniqueFd fd_;
};

class Window : public SluiceProxy {
protected:
  /// What a connection answers after its server sent a segment far ahead of the window.
  Result<std::string> after_a_stray(std::vector<std::string> flags) {
    endpoints({2});
    start_proxy(std::move(flags));
    RawTcp server(bed_->pod(2).netns);
    SLUICE_ASSIGN(auto client, TestClient::connect(bed_->pod(1).netns, kTcp4, Protocol::tcp, 5s),
                  "connect");
    SLUICE_TRY(client.ask(), "before");
    std::optional<Segment> last;
    while (auto seen = server.next_to(Port(8080))) { // the handshake, the line
      last = seen;
      if ((seen->flags & TH_PUSH) != 0)
        break;
    }
    if (!last)
      return fail(Errc::timeout, "nothing came to the server");
    // The answer of the server is behind us: its next byte is what the client has not yet seen.
    RawTcp observer(bed_->pod(1).netns);
    server.send({last->to, last->from, last->ack + 200'000'000, last->seq, TH_ACK});
    if (!observer.next_to(last->from.port))
      return fail(Errc::timeout, "the segment did not reach the client");
    return client.ask();
  }

  void expect_a_lone_answer_to_pass() {
    RawTcp there(bed_->pod(1).netns), here(bed_->pod(2).netns);
    const Segment lone{
        {bed_->pod(2).v4, Port(4321)}, {bed_->pod(1).v4, Port(1234)}, 7, 8, TH_SYN | TH_ACK};
    here.send(lone);
    const auto seen = there.next_to(Port(1234));
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->from, lone.from);
    EXPECT_EQ(seen->flags, lone.flags);
  }
};

TEST_F(Window, an_answer_out_of_the_window_does_not_end_the_connection) {
  const auto answer = after_a_stray(kLiberal);
  ASSERT_TRUE(answer) << answer.error().what();
  EXPECT_EQ(*answer, "pod2 10.244.1.2");
}

TEST_F(Window, in_mode_iptables_neither) {
  const auto answer = after_a_stray({"--proxy-mode=iptables", kLiberal[0], kLiberal[1]});
  ASSERT_TRUE(answer) << answer.error().what();
  EXPECT_EQ(*answer, "pod2 10.244.1.2");
}

TEST_F(Window, unless_the_kernel_is_left_as_strict_as_it_is) {
  // The client gets it from an address that it does not know, and resets.
  EXPECT_FALSE(after_a_stray({}));
}

TEST_F(Window, an_answer_whose_question_went_another_way_passes_the_node) {
  start_proxy();
  expect_a_lone_answer_to_pass();
}

TEST_F(Window, in_mode_iptables_too) {
  start_proxy({"--proxy-mode=iptables"});
  expect_a_lone_answer_to_pass();
}

} // namespace
} // namespace sluice::proxy::test
