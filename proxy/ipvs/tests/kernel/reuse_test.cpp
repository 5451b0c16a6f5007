// A client that takes its source port again at once (service-semantics.md H21): while the old
// connection is in TIME_WAIT or CLOSE, its endpoint draining or gone, and others come, no new
// connection is reset or waits for a second SYN.

#include "proxy/ipvs/tests/kernel/node.hpp"

#include "kernel/sysctl.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::proxy::ipvs::test {
namespace {

using namespace std::chrono_literals;

enum class Close : std::uint8_t {
  fin,   ///< leaves TIME_WAIT
  reset, ///< leaves CLOSE
};

sockaddr_in to_sockaddr(const SocketAddress &address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port.value);
  out.sin_addr.s_addr = htonl(address.ip.v4());
  return out;
}

/// Blocking; each step at most 3 s.
Result<UniqueFd> socket_on(const kernel::NetNs &where, Port source, Close close) {
  return where.run([&]() -> Result<UniqueFd> {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const linger at_once{1, 0};
    const timeval limit{3, 0};
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(source.value);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (close == Close::reset)
      ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&own), sizeof own) != 0)
      return fail(Error::from_errno(errno, "bind to port " + std::to_string(source.value)));
    return fd;
  });
}

class Reuse : public Node {
protected:
  void SetUp() override {
    Node::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    // The client's own kernel gives the port back at once.
    const auto written = bed_->pod(1).netns.run(
        [] { return kernel::Sysctl().write("net/ipv4/tcp_max_tw_buckets", "0"); });
    ASSERT_TRUE(written) << written.error().what();
  }

  /// From `source`: which pod answers, or what went wrong.
  std::string attempt(Port source, Close close) {
    auto fd = socket_on(bed_->pod(1).netns, source, close);
    if (!fd)
      return fd.error().what();
    const auto to = to_sockaddr(kWeb);
    const auto began = std::chrono::steady_clock::now();
    if (::connect(fd->get(), reinterpret_cast<const sockaddr *>(&to), sizeof to) != 0)
      return Error::from_errno(errno, "connect").what();
    tcp_info info{};
    socklen_t size = sizeof info;
    ::getsockopt(fd->get(), IPPROTO_TCP, TCP_INFO, &info, &size);
    if (info.tcpi_total_retrans != 0)
      return "a second SYN after " +
             std::to_string((std::chrono::steady_clock::now() - began) / 1ms) + " ms";
    std::array<char, 64> answer{};
    if (::send(fd->get(), "?\n", 2, MSG_NOSIGNAL) != 2)
      return Error::from_errno(errno, "send").what();
    const auto got = ::recv(fd->get(), answer.data(), answer.size(), 0);
    if (got <= 0)
      return Error::from_errno(got == 0 ? ECONNRESET : errno, "receive").what();
    const std::string text(answer.data(), static_cast<std::size_t>(got));
    if (close == Close::fin) { // until the server has closed too
      ::shutdown(fd->get(), SHUT_WR);
      while (::recv(fd->get(), answer.data(), answer.size(), 0) > 0)
        continue;
    }
    return text.substr(0, text.find(' '));
  }
};

TEST_F(Reuse, a_port_that_is_taken_again_at_once_gets_its_answer_whatever_endpoints_do) {
  const std::vector<std::set<unsigned>> steps = {{2, 3}, {3}, {3, 4}, {4}, {2, 4}, {2}, {2, 3, 4}};
  std::uint16_t port = 41'000;
  for (const auto close : {Close::fin, Close::reset}) {
    SCOPED_TRACE(close == Close::fin ? "closed by FIN" : "closed by RST");
    start(serving(steps.front()));
    const Port source(++port);
    for (const auto &pods : steps) {
      change_to(serving(pods));
      for (int again = 0; again < 8; ++again) {
        const auto name = attempt(source, close);
        EXPECT_TRUE(name.substr(0, 3) == "pod" &&
                    pods.count(static_cast<unsigned>(name.back() - '0')) == 1)
            << name << " with " << pods.size() << " endpoints, the " << again << ". time";
      }
    }
  }
}

/// With conn_reuse_mode 0 it would always come to the first one.
TEST_F(Reuse, a_port_that_is_taken_again_and_again_gets_to_endpoints_that_are_new) {
  start(serving({2}));
  const Port source(41'100);
  EXPECT_EQ(attempt(source, Close::fin), "pod2");
  change_to(serving({2, 3, 4}));
  std::set<std::string> names;
  for (int again = 0; again < 6; ++again)
    names.insert(attempt(source, Close::fin));
  EXPECT_EQ(names, (std::set<std::string>{"pod2", "pod3", "pod4"}));
}

TEST_F(Reuse, what_it_takes_is_repaired_if_somebody_changes_it) {
  start(serving({2, 3}));
  for (const auto *name : {"conntrack", "expire_nodest_conn", "conn_reuse_mode"}) {
    const auto path = std::string("net/ipv4/vs/") + name;
    EXPECT_EQ(sysctl(path), "1");
    set_sysctl(path, "0");
    EXPECT_EQ(verify(), "parameter " + path + " is not 1\n");
    start(table_);
    EXPECT_EQ(sysctl(path), "1");
  }
}

} // namespace
} // namespace sluice::proxy::ipvs::test
