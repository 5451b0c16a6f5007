#include "cni/protocol/result.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

const char *const kDual =
    R"({"cniVersion":"1.1.0","interfaces":[{"name":"cni0","mac":"02:00:00:00:00:01","mtu":1500},)"
    R"({"name":"eth0","sandbox":"/run/netns/x","socketPath":"/s","pciID":"0:1"}],)"
    R"("ips":[{"interface":0,"address":"10.1.0.5/24","gateway":"10.1.0.1"},{"address":"fd00::5/64"}],)"
    R"("routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1","mtu":1400,"advmss":1360,"priority":5,"table":100,"scope":253},)"
    R"({"dst":"::/0"}],"dns":{"nameservers":["10.96.0.10"],"domain":"d","search":["s"],"options":["ndots:5"]}})";

struct FormCase {
  const char *name;
  Version version;
  const char *text;
  int line;
};

const FormCase kForms[] = {
    {"1.1.0 says everything", {1, 1, 0}, kDual, __LINE__},
    {"0.4.0 has the family of each address and no extras",
     {0, 4, 0},
     R"({"cniVersion":"0.4.0","interfaces":[{"name":"cni0","mac":"02:00:00:00:00:01"},)"
     R"({"name":"eth0","sandbox":"/run/netns/x"}],)"
     R"("ips":[{"version":"4","interface":0,"address":"10.1.0.5/24","gateway":"10.1.0.1"},)"
     R"({"version":"6","address":"fd00::5/64"}],)"
     R"("routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"},{"dst":"::/0"}],)"
     R"("dns":{"nameservers":["10.96.0.10"],"domain":"d","search":["s"],"options":["ndots:5"]}})",
     __LINE__},
    {"0.2.0 has one part a family",
     {0, 2, 0},
     R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.5/24","gateway":"10.1.0.1",)"
     R"("routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"}]},"ip6":{"ip":"fd00::5/64","routes":[{"dst":"::/0"}]},)"
     R"("dns":{"nameservers":["10.96.0.10"],"domain":"d","search":["s"],"options":["ndots:5"]}})",
     __LINE__},
};

TEST(cni_result, each_version_has_its_form) {
  const auto result = parse_result(kDual, kLatestVersion);
  ASSERT_TRUE(result) << result.error().message();
  for (const auto &c : kForms) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto text = to_text(*result, c.version);
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(*text, c.text);
    // What was written reads back to what writes the same.
    const auto again = parse_result(*text, kLatestVersion);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(*to_text(*again, c.version), c.text);
  }
}

TEST(cni_result, every_version_round_trips) {
  const auto dual = parse_result(kDual, kLatestVersion).value();
  for (const auto &version : kSupportedVersions) {
    SCOPED_TRACE(version.str());
    const auto once = parse_result(to_text(dual, version).value(), kLatestVersion).value();
    const auto twice = parse_result(to_text(once, version).value(), kLatestVersion).value();
    EXPECT_EQ(once, twice);
    EXPECT_EQ(once.ips.size(), 2U);
  }
}

TEST(cni_result, interface_zero_is_printed_and_an_absent_index_stays_absent) {
  const auto result = parse_result(kDual, kLatestVersion).value();
  EXPECT_EQ(result.ips[0].interface, 0U);
  EXPECT_FALSE(result.ips[1].interface);
}

TEST(cni_result, empty_parts_are_left_out_and_old_forms_print_dns) {
  EXPECT_EQ(*to_text(AddResult{}, {1, 1, 0}), R"({"cniVersion":"1.1.0"})");
  EXPECT_EQ(*to_text(AddResult{}, {0, 3, 1}), R"({"cniVersion":"0.3.1","dns":{}})");
}

TEST(cni_result, the_oldest_forms_need_an_address) {
  const auto text = to_text(AddResult{}, {0, 2, 0});
  ASSERT_FALSE(text);
  EXPECT_TRUE(text.error().is(Code::incompatible_version));
}

struct ReadCase {
  const char *name, *text;
  unsigned code; // 0: accepted
  int line;
};

const ReadCase kReadCases[] = {
    {"no version is taken as the configuration's", R"({"ips":[{"address":"10.0.0.1/8"}]})", 0,
     __LINE__},
    {"version key in any case", R"({"CNIVersion":"0.4.0"})", 0, __LINE__},
    {"unknown members are ignored", R"({"cniVersion":"1.1.0","color":{"a":[1,2]}})", 0, __LINE__},
    {"escapes", R"({"cniVersion":"1.1.0","dns":{"domain":"\ud83d\ude00\n"}})", 0, __LINE__},
    {"a version of the future", R"({"cniVersion":"2.0.0"})", 1, __LINE__},
    {"no object", "null", 6, __LINE__},
    {"an address without length", R"({"ips":[{"address":"10.0.0.1"}]})", 6, __LINE__},
    {"no address", R"({"ips":[{}]})", 6, __LINE__},
    {"a bad gateway", R"({"ips":[{"address":"10.0.0.1/8","gateway":"x"}]})", 6, __LINE__},
    {"a bad route", R"({"routes":[{"dst":"10.0.0.0"}]})", 6, __LINE__},
    {"ips are an object", R"({"ips":{}})", 6, __LINE__},
    {"index is negative", R"({"ips":[{"address":"10.0.0.1/8","interface":-1}]})", 6, __LINE__},
};

TEST(cni_result, what_does_not_read_is_a_decoding_error) {
  for (const auto &c : kReadCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = parse_result(c.text, kLatestVersion);
    EXPECT_EQ(got ? 0U : got.error().code(), c.code) << (got ? "" : got.error().message());
  }
}

TEST(cni_result, mapped_addresses_are_ipv4) {
  const auto result = parse_result(
      R"({"ips":[{"address":"10.0.0.1/8","gateway":"::ffff:10.0.0.9"}]})", kLatestVersion);
  EXPECT_EQ(result->ips[0].gateway->str(), "10.0.0.9");
}

TEST(cni_version, the_answer_lists_all) {
  EXPECT_EQ(
      version_answer({1, 1, 0}),
      R"({"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]})");
}

} // namespace
} // namespace sluice::cni
