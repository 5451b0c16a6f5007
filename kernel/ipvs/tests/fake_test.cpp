#include "kernel/ipvs/fake.hpp"
#include "kernel/ipvs/messages.hpp"
#include "kernel/ipvs/tests/rules.hpp"

namespace sluice::kernel::ipvs::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(fake, IpvsRules, ::testing::Values(Factory([] {
                           return Result<std::unique_ptr<Ipvs>>(
                               std::make_unique<fake::Ipvs>(std::make_shared<fake::State>()));
                         })));

TEST(kernel_ipvs, a_schedulers_name_that_none_can_have_is_refused) {
  const ServiceId id = MarkId{Family::ipv4, 1};
  for (const auto *name : {"", "a-name-of-16-char"})
    EXPECT_FALSE(encode(40, AddService{{.id = id, .scheduler = name}})) << name;
}

TEST(kernel_ipvs, operations_read_as_ipvsadm_is_called) {
  const ServiceId id = MarkId{Family::ipv6, 7};
  const ServiceId tcp = AddressId{Protocol::tcp, SocketAddress::parse("192.0.2.1:80").value()};
  EXPECT_EQ(to_string(Op(AddService{{.id = id, .persistence = std::chrono::seconds(9)}})),
            "ipvs -A -f 7 -6 -s rr -p 9");
  EXPECT_EQ(to_string(Op(EditDestination{
                tcp, {.address = SocketAddress::parse("10.0.0.1:8080").value(), .weight = 0}})),
            "ipvs -e -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 0");
  EXPECT_EQ(to_string(Op(RemoveService{tcp})), "ipvs -D -t 192.0.2.1:80");
}

TEST(kernel_ipvs, a_cut_message_is_nothing) {
  auto whole = version_request(40);
  EXPECT_FALSE(version_in(whole.header()));
  EXPECT_FALSE(service_in(whole.header()));
  whole.header().nlmsg_len = sizeof(nlmsghdr);
  EXPECT_FALSE(timeouts_in(whole.header()));
  EXPECT_FALSE(destination_in(whole.header(), Family::ipv4));
}

} // namespace
} // namespace sluice::kernel::ipvs::testing
