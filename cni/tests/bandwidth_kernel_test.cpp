// The drop-in `bandwidth` behind our bridge, alone and beside Debian's, read back with tc(8).
#include "cni/tests/driver.hpp"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

const std::string kTheirs = "/usr/lib/cni/bandwidth";
const std::string kLimits =
    R"("ingressRate":8000000,"ingressBurst":800000,"egressRate":16000000,"egressBurst":800000)";

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

class cni_bandwidth : public testing::Test {
protected:
  std::string attach(const std::string &id) {
    const auto run = driver.add(id);
    EXPECT_EQ(run.exit_status, 0) << run.output;
    return run.output;
  }
  static std::string config(const std::string &limits, const std::string &previous,
                            const std::string &version = "1.1.0") {
    return with_previous(R"({"cniVersion":")" + version + R"(","name":"net","type":"bandwidth",)" +
                             limits + "}",
                         previous);
  }
  PluginRun call(Command command, const std::string &id, const std::string &text) {
    return driver.call(command, id, text, {}, ours);
  }
  /// As tc(8) has them, without what differs from pod to pod.
  std::string disciplines() const {
    return driver.on_host("tc -d qdisc show | grep -v noqueue | sed 's/dev [a-z0-9]* //; s/refcnt "
                          "[0-9]* //' | sort");
  }
  std::string devices() const {
    return driver.on_host("ip -j link show type ifb | jq -r '.[].ifname'");
  }
  void expect_unshaped() {
    EXPECT_EQ(disciplines(), "");
    EXPECT_EQ(devices(), "");
  }
  Driver driver;
  const std::string ours = driver.program("bandwidth");
};

TEST_F(cni_bandwidth, both_directions_are_shaped_checked_and_taken_back) {
  const auto previous = attach("c1");
  const auto run = call(Command::add, "c1", config(kLimits, previous));
  ASSERT_EQ(run.exit_status, 0) << run.output;
  const auto device = devices();
  EXPECT_TRUE(contains(run.output, "\"name\":\"" + device.substr(0, device.size() - 1) + "\""))
      << run.output << device;
  const auto shown = disciplines();
  EXPECT_TRUE(contains(shown, "qdisc tbf 1: root rate 8Mbit burst 100000b")) << shown;
  EXPECT_TRUE(contains(shown, "qdisc tbf 1: root rate 16Mbit burst 100000b")) << shown;
  EXPECT_TRUE(contains(shown, "lat 25ms")) << shown;
  EXPECT_TRUE(contains(shown, "qdisc ingress ffff: parent ffff:fff1")) << shown;
  EXPECT_EQ(call(Command::check, "c1", config(kLimits, run.output)).output, "");
  const auto other = config(R"("ingressRate":80000,"ingressBurst":80000)", run.output);
  EXPECT_TRUE(contains(call(Command::check, "c1", other).output, "\"code\":102"));
  EXPECT_EQ(call(Command::del, "c1", config(kLimits, run.output)).output, "");
  EXPECT_EQ(devices(), "");
  EXPECT_EQ(call(Command::del, "c1", config(kLimits, run.output)).output, "");
  EXPECT_EQ(driver.del("c1").output, "");
  expect_unshaped();
}

TEST_F(cni_bandwidth, one_direction_leaves_the_other_alone) {
  const auto previous = attach("c1");
  const auto in = config(R"("ingressRate":8000000,"ingressBurst":800000)", previous);
  EXPECT_EQ(call(Command::add, "c1", in).exit_status, 0);
  EXPECT_EQ(devices(), "");
  EXPECT_EQ(call(Command::check, "c1", in).output, "");
  const auto none = call(Command::add, "c2", config(R"("runtimeConfig":{})", attach("c2")));
  EXPECT_EQ(none.exit_status, 0) << none.output;
  const auto out = config(
      R"("runtimeConfig":{"bandwidth":{"egressRate":8000000,"egressBurst":800000}})", attach("c3"));
  EXPECT_EQ(call(Command::add, "c3", out).exit_status, 0);
  EXPECT_EQ(call(Command::check, "c3", out).output, "");
  const auto shown = disciplines();
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 3) << shown;
}

TEST_F(cni_bandwidth, subnets_are_sorted_out_by_classes_of_the_reference_plugin) {
  const auto previous = attach("c1");
  const auto text = config(
      kLimits + R"(,"unshapedSubnets":["10.0.0.0/8","0.0.0.0/0","fd00:1:2:3::/64","fd00::/8"])",
      previous);
  const auto run = call(Command::add, "c1", text);
  ASSERT_EQ(run.exit_status, 0) << run.output;
  const auto shown = disciplines();
  EXPECT_TRUE(contains(shown, "qdisc htb 1: root r2q 10 default 0x30")) << shown;
  const auto device = devices().substr(0, 15);
  const auto classes = driver.on_host("tc class show dev " + device + " | sort");
  EXPECT_TRUE(contains(classes, "class htb 1:1 root prio 0 rate 800Gbit ceil 800Gbit")) << classes;
  EXPECT_TRUE(contains(classes, "class htb 1:30 root prio 0 rate 16Mbit ceil 32Mbit burst 100000b"))
      << classes;
  const auto filters = driver.on_host("tc filter show dev " + device +
                                      " | grep -o -e 'flowid.*' -e 'match.*' | tr '\\n' ' '");
  EXPECT_EQ(filters, "flowid 1:1 not_in_hw  match fd000001/ffffffff at 24 "
                     "match 00020003/ffffffff at 28 "
                     "flowid 1:1 not_in_hw  match fd000000/ff000000 at 24 "
                     "flowid 1:1 not_in_hw  match 0a000000/ff000000 at 16 "
                     "flowid 1:1 not_in_hw  match 00000000/00000000 at 16 ");
  EXPECT_EQ(call(Command::check, "c1", text).output, "");
  const auto plain = config(kLimits, previous);
  EXPECT_TRUE(contains(call(Command::check, "c1", plain).output, "\"code\":102"));
  EXPECT_EQ(call(Command::del, "c1", text).output, "");
  EXPECT_EQ(driver.del("c1").output, "");
  expect_unshaped();
}

TEST_F(cni_bandwidth, a_failed_add_leaves_nothing) {
  const auto previous = attach("c1");
  const auto name = driver.on_host("ip -j link show type veth | jq -r '.[].ifname'");
  driver.on_host("tc qdisc add dev " + name.substr(0, name.size() - 1) + " ingress");
  const auto run = call(Command::add, "c1", config(kLimits, previous));
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(disciplines(), "qdisc ingress ffff: parent ffff:fff1 ---------------- \n");
  EXPECT_EQ(devices(), "");
}

TEST_F(cni_bandwidth, what_does_not_fit_is_refused) {
  const auto previous = attach("c1");
  EXPECT_TRUE(contains(
      call(Command::add, "c1", config(kLimits, R"({"cniVersion":"1.1.0","interfaces":[]})")).output,
      "\"code\":7,"));
  EXPECT_TRUE(contains(
      call(Command::add, "c1", R"({"cniVersion":"1.1.0","name":"net","type":"bandwidth"})").output,
      "prevResult is missing"));
  EXPECT_TRUE(contains(
      call(Command::del, "c1", R"({"cniVersion":"0.2.0","name":"net","type":"bandwidth"})").output,
      "\"code\":1,"));
  const auto version = call(Command::version, "c1", "").output;
  EXPECT_TRUE(contains(version, R"("supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"])"))
      << version;
  driver.in_pod("c1", "ip link del eth0; ip link add eth0 type bridge");
  EXPECT_TRUE(contains(call(Command::add, "c1", config(kLimits, previous)).output, "is no veth"));
  expect_unshaped();
}

TEST_F(cni_bandwidth, gc_removes_the_devices_of_pods_that_are_gone) {
  for (const auto *id : {"c1", "c2"})
    ASSERT_EQ(call(Command::add, id, config(kLimits, attach(id))).exit_status, 0);
  driver.on_host("ip link add bwpfedcba987654 type ifb");
  EXPECT_EQ(
      call(Command::gc, "c1",
           R"({"cniVersion":"1.1.0","name":"net","type":"bandwidth","cni.dev/valid-attachments":)"
           R"([{"containerID":"c2","ifname":"eth0"}]})")
          .output,
      "");
  const auto left = devices();
  EXPECT_EQ(std::count(left.begin(), left.end(), '\n'), 2) << left;
  EXPECT_TRUE(contains(left, "bwpfedcba987654")) << left;
}

/// One TCP connection that sends as fast as it can.
struct Stream {
  UniqueFd sender, receiver;
  std::size_t received = 0;

  void pump() {
    std::array<char, 64 * 1024> buffer{};
    (void)::send(sender.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    const auto got = ::recv(receiver.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    received += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
};

class cni_bandwidth_speed : public cni_bandwidth {
protected:
  /// A connection from `from` to `to`, which listens on `address`.
  static Stream connect(const kernel::NetNs &from, const kernel::NetNs &to, const char *address) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &where.sin_addr);
    auto *any = reinterpret_cast<sockaddr *>(&where);
    socklen_t size = sizeof where;
    const auto listener = to.run([&]() -> Result<UniqueFd> {
      UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(::bind(fd.get(), any, size), 0);
      EXPECT_EQ(::listen(fd.get(), 1), 0);
      EXPECT_EQ(::getsockname(fd.get(), any, &size), 0);
      return fd;
    });
    auto sender = from.run([&]() -> Result<UniqueFd> {
      UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(::connect(fd.get(), any, size), 0);
      return fd;
    });
    return {std::move(*sender), UniqueFd(::accept(listener->get(), nullptr, nullptr))};
  }
  /// Until the free one has moved 30 MB and the shaped one anything.
  static void race(Stream &shaped, Stream &unshaped) {
    constexpr std::size_t kEnough = 30'000'000;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while ((unshaped.received < kEnough || shaped.received == 0) &&
           std::chrono::steady_clock::now() < deadline) {
      shaped.pump();
      unshaped.pump();
    }
    EXPECT_GE(unshaped.received, kEnough);
    EXPECT_GT(shaped.received, 0U);
    EXPECT_LT(shaped.received * 4, unshaped.received);
  }
};

TEST_F(cni_bandwidth_speed, a_shaped_pod_is_slower_in_both_directions) {
  const auto previous = attach("c1");
  attach("c2");
  const std::string slow =
      R"("ingressRate":800000,"ingressBurst":400000,"egressRate":800000,"egressBurst":400000)";
  ASSERT_EQ(call(Command::add, "c1", config(slow, previous)).exit_status, 0);
  {
    SCOPED_TRACE("from the pod");
    auto shaped = connect(driver.pod("c1"), driver.host(), "10.77.0.1");
    auto unshaped = connect(driver.pod("c2"), driver.host(), "10.77.0.1");
    race(shaped, unshaped);
  }
  SCOPED_TRACE("to the pod");
  auto shaped = connect(driver.host(), driver.pod("c1"), "10.77.0.2");
  auto unshaped = connect(driver.host(), driver.pod("c2"), "10.77.0.3");
  race(shaped, unshaped);
}

TEST_F(cni_bandwidth_speed, of_one_pod_only_what_goes_to_a_shaped_subnet_is_slower) {
  driver.on_host("ip link set lo up; ip addr add 10.99.0.1/32 dev lo");
  const auto previous = attach("c1");
  const std::string slow = R"("egressRate":800000,"egressBurst":400000,)";
  for (const std::string choice :
       {R"("shapedSubnets":["10.77.0.0/24"])", R"("unshapedSubnets":["10.99.0.0/16"])"}) {
    SCOPED_TRACE(choice);
    ASSERT_EQ(call(Command::add, "c1", config(slow + choice, previous)).exit_status, 0);
    auto shaped = connect(driver.pod("c1"), driver.host(), "10.77.0.1");
    auto unshaped = connect(driver.pod("c1"), driver.host(), "10.99.0.1");
    race(shaped, unshaped);
    ASSERT_EQ(call(Command::del, "c1", config(choice, previous)).output, "");
    driver.on_host("tc qdisc del dev " +
                   parse_result(previous, kLatestVersion)->interfaces[1].name + " ingress");
  }
}

class cni_bandwidth_interop : public cni_bandwidth {
protected:
  void SetUp() override {
    if (::access(kTheirs.c_str(), X_OK) != 0)
      GTEST_SKIP() << kTheirs << " is not installed (Debian package containernetworking-plugins)";
  }
  /// Debian 12's plugin knows 1.0.0.
  std::string attach_old(const std::string &id) {
    auto text = driver.usual();
    text.replace(text.find("1.1.0"), 5, "1.0.0");
    return driver.call(Command::add, id, text).output;
  }
  PluginRun theirs(Command command, const std::string &id, const std::string &text) {
    return driver.call(command, id, text, {}, kTheirs);
  }
};

TEST_F(cni_bandwidth_interop, both_make_the_same_and_each_checks_and_removes_the_others) {
  const auto first = attach_old("c1"), second = attach_old("c2");
  const auto their_run = theirs(Command::add, "c1", config(kLimits, first, "1.0.0"));
  ASSERT_EQ(their_run.exit_status, 0) << their_run.output;
  const auto their_disciplines = disciplines(), their_device = devices();
  const auto filters = [&](const std::string &previous) {
    const auto name = parse_result(previous, kLatestVersion)->interfaces[1].name;
    return driver.on_host("tc filter show dev " + name +
                          " parent ffff: | sed 's/device [a-z0-9]*//; s/index [0-9]*//'");
  };
  const auto their_filters = filters(first);
  EXPECT_TRUE(contains(their_filters, "mirred")) << their_filters;
  EXPECT_EQ(call(Command::check, "c1", config(kLimits, their_run.output, "1.0.0")).output, "");
  EXPECT_EQ(call(Command::del, "c1", config(kLimits, first, "1.0.0")).output, "");
  EXPECT_EQ(driver.del("c1").output, "");
  expect_unshaped();

  const auto our_run = call(Command::add, "c2", config(kLimits, second, "1.0.0"));
  ASSERT_EQ(our_run.exit_status, 0) << our_run.output;
  EXPECT_EQ(disciplines(), their_disciplines);
  // Theirs has the action twice; the first one ends the packet's way.
  const auto our_filters = filters(second);
  EXPECT_TRUE(their_filters.starts_with(our_filters.substr(0, our_filters.size() - 1)))
      << our_filters;
  const auto checked = theirs(Command::check, "c2", config(kLimits, our_run.output, "1.0.0"));
  EXPECT_EQ(checked.exit_status, 0) << checked.output;
  EXPECT_EQ(theirs(Command::del, "c2", config(kLimits, second, "1.0.0")).exit_status, 0);
  EXPECT_EQ(devices(), "");
  EXPECT_EQ(their_device.substr(0, 3), "bwp");
}

} // namespace
} // namespace sluice::cni
