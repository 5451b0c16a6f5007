#include "kernel/ipvs/tests/rules.hpp"

#include <cerrno>

namespace sluice::kernel::ipvs::testing {
namespace {

SocketAddress at(const char *text) { return SocketAddress::parse(text).value(); }

const ServiceId kMark4 = MarkId{Family::ipv4, 0x0800'0001}, kMark6 = MarkId{Family::ipv6, 7};
const ServiceId kTcp = AddressId{Protocol::tcp, at("192.0.2.1:80")};
const ServiceId kUdp = AddressId{Protocol::udp, at("192.0.2.1:80")};
const ServiceId kSctp6 = AddressId{Protocol::sctp, at("[2001:db8::1]:80")};
const ServiceId kAll[] = {kMark4, kMark6, kTcp, kUdp, kSctp6};

Destination destination(const char *address, std::uint32_t weight = 1) {
  return {.address = at(address), .weight = weight};
}

} // namespace

void IpvsRules::SetUp() {
  auto made = GetParam()();
  if (!made && made.error().code() == Errc::unsupported)
    GTEST_SKIP() << made.error().what();
  ASSERT_TRUE(made) << made.error().what();
  ipvs = std::move(*made);
}

int IpvsRules::try_one(const Op &op) {
  const auto applied = ipvs->apply({op});
  if (applied)
    return 0;
  EXPECT_EQ(applied.error().what().rfind(to_string(op), 0), 0U) << applied.error().what();
  return applied.error().sys();
}

TEST_P(IpvsRules, each_operation_is_accepted_or_refused_as_the_kernel_does) {
  const struct {
    Op op;
    int err, line;
  } cases[] = {
      {EditService{{.id = kMark4}}, ESRCH, __LINE__},
      {RemoveService{kMark4}, ESRCH, __LINE__},
      {AddService{{.id = kMark4, .scheduler = "nonesuch"}}, ENOENT, __LINE__},
      {AddService{{.id = kMark4}}, 0, __LINE__},
      {AddService{{.id = kMark4}}, EEXIST, __LINE__},
      {AddService{{.id = MarkId{Family::ipv6, 0x0800'0001}}}, 0, __LINE__},
      {EditService{{.id = kMark4, .scheduler = "wlc"}}, 0, __LINE__},
      {EditService{{.id = kMark4, .scheduler = "nonesuch"}}, ENOENT, __LINE__},
      {AddDestination{kTcp, destination("10.0.0.1:80")}, ESRCH, __LINE__},
      {EditDestination{kTcp, destination("10.0.0.1:80")}, ESRCH, __LINE__},
      {RemoveDestination{kTcp, at("10.0.0.1:80")}, ESRCH, __LINE__},
      {EditDestination{kMark4, destination("10.0.0.1:80")}, ENOENT, __LINE__},
      {RemoveDestination{kMark4, at("10.0.0.1:80")}, ENOENT, __LINE__},
      {AddDestination{kMark4, destination("10.0.0.1:80")}, 0, __LINE__},
      {AddDestination{kMark4, destination("10.0.0.1:80")}, EEXIST, __LINE__},
      {AddDestination{kMark4, destination("10.0.0.1:81")}, 0, __LINE__},
      {EditDestination{kMark4, destination("10.0.0.1:80", 0)}, 0, __LINE__},
      {RemoveDestination{kMark4, at("10.0.0.1:80")}, 0, __LINE__},
      {RemoveService{kMark4}, 0, __LINE__},
      {AddDestination{kMark4, destination("10.0.0.1:80")}, ESRCH, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(to_string(c.op) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(try_one(c.op), c.err);
  }
}

TEST_P(IpvsRules, a_batch_goes_on_behind_a_refusal) {
  std::vector<Op> ops{RemoveService{kTcp}};
  for (std::uint32_t mark = 1; mark <= 600; ++mark)
    ops.push_back(AddService{{.id = MarkId{Family::ipv4, mark}}});
  ops.push_back(AddService{{.id = MarkId{Family::ipv4, 600}}});
  const auto refused = ipvs->apply_each(ops);
  ASSERT_TRUE(refused) << refused.error().what();
  ASSERT_EQ(refused->size(), 2U);
  EXPECT_EQ(refused->front().operation, 0U);
  EXPECT_EQ(refused->back().operation, 601U);
  EXPECT_EQ(ipvs->read_services()->size(), 600U);
}

TEST_P(IpvsRules, what_was_written_is_read_back) {
  const Service services[] = {
      {.id = kMark4},
      {.id = kMark6, .scheduler = "wrr", .persistence = std::chrono::seconds(360)},
      {.id = kTcp,
       .scheduler = "sh",
       .flags = kHashFallback | kHashPorts,
       .persistence = std::chrono::seconds(10),
       .client_prefix_length = 24},
      {.id = kUdp, .scheduler = "mh", .flags = kOnePacket},
      {.id = kSctp6,
       .scheduler = "lc",
       .persistence = std::chrono::hours(24),
       .client_prefix_length = 64},
  };
  for (const auto &service : services)
    ASSERT_EQ(try_one(AddService{service}), 0);
  const auto read = ipvs->read_services();
  ASSERT_TRUE(read) << read.error().what();
  ASSERT_EQ(read->size(), std::size(services));
  for (const auto &info : *read)
    EXPECT_EQ(std::count(std::begin(services), std::end(services), info.service), 1)
        << to_string(AddService{info.service});
}

TEST_P(IpvsRules, destinations_are_read_back_by_address) {
  for (const auto &id : kAll) {
    SCOPED_TRACE(to_string(id));
    const bool v4 = family_of(id) == Family::ipv4;
    ASSERT_EQ(try_one(AddService{{.id = id}}), 0);
    EXPECT_TRUE(ipvs->read_destinations(id)->empty());
    const Destination second{.address = at(v4 ? "10.0.0.2:8080" : "[fd00::2]:8080"),
                             .weight = 7,
                             .upper_threshold = 100,
                             .lower_threshold = 50};
    const auto first = destination(v4 ? "10.0.0.1:8080" : "[fd00::1]:8080", 0);
    ASSERT_EQ(try_one(AddDestination{id, second}), 0);
    ASSERT_EQ(try_one(AddDestination{id, first}), 0);
    const auto read = ipvs->read_destinations(id);
    ASSERT_TRUE(read) << read.error().what();
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ((*read)[0].destination, first);
    EXPECT_EQ((*read)[1].destination, second);
    EXPECT_EQ((*read)[0].active + (*read)[0].inactive, 0U);
  }
}

TEST_P(IpvsRules, a_service_that_is_not_there_has_no_destinations) {
  const auto read = ipvs->read_destinations(kTcp);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Errc::not_found) << read.error().what();
}

TEST_P(IpvsRules, a_timeout_of_zero_stays_as_it_is) {
  const auto before = ipvs->read_timeouts();
  ASSERT_TRUE(before) << before.error().what();
  ASSERT_TRUE(ipvs->set_timeouts({.udp = std::chrono::seconds(17)}));
  EXPECT_EQ(*ipvs->read_timeouts(),
            (Timeouts{before->tcp, before->tcp_fin, std::chrono::seconds(17)}));
  ASSERT_TRUE(ipvs->set_timeouts({.udp = before->udp}));
}

TEST_P(IpvsRules, it_says_its_version) {
  const auto version = ipvs->read_version();
  ASSERT_TRUE(version) << version.error().what();
  EXPECT_EQ(version->major, 1U);
  EXPECT_GE(version->connection_buckets, 256U);
}

} // namespace sluice::kernel::ipvs::testing
