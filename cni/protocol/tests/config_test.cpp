#include "cni/protocol/config.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::cni {
namespace {

struct ConfigCase {
  const char *name, *text;
  unsigned code;        // 0: accepted
  const char *mentions; // in message or details
  int line;
};

const ConfigCase kConfigCases[] = {
    {"smallest", R"({"name":"n"})", 0, "", __LINE__},
    {"not JSON", "{", 6, "not valid JSON", __LINE__},
    {"empty", "", 6, "not valid JSON", __LINE__},
    {"extra data behind the document", R"({"name":"n"} {})", 6, "not valid JSON", __LINE__},
    {"an array", "[]", 6, "no JSON object", __LINE__},
    {"bytes that are no UTF-8", "{\"name\":\"\xff\"}", 6, "not valid JSON", __LINE__},
    {"no name", R"({"cniVersion":"1.0.0"})", 7, "name is missing", __LINE__},
    {"null name", R"({"name":null})", 7, "name is missing", __LINE__},
    {"name with a slash", R"({"name":"a/b"})", 7, R"(name is "a/b")", __LINE__},
    {"name of another type", R"({"name":5})", 7, "name is 5", __LINE__},
    {"version of the far future", R"({"cniVersion":"9.9.9","name":"n"})", 1,
     "9.9.9, supported are 0.1.0", __LINE__},
    {"version with a letter", R"({"cniVersion":"1.a","name":"n"})", 6, "1.a", __LINE__},
    {"version with four parts", R"({"cniVersion":"1.0.0.0","name":"n"})", 6, "1.0.0.0", __LINE__},
    {"version with two parts", R"({"cniVersion":"1.0","name":"n"})", 0, "", __LINE__},
    {"keys in capitals", R"({"CNIVERSION":"1.1.0","NAME":"n","IPAM":{"TYPE":"static"}})", 0, "",
     __LINE__},
    {"ipam is a list", R"({"name":"n","ipam":[]})", 7, "ipam is []", __LINE__},
    {"ipam type is a number", R"({"name":"n","ipam":{"type":1}})", 7, "ipam.type is 1", __LINE__},
    {"dns servers are a string", R"({"name":"n","dns":{"nameservers":"x"}})", 7, "dns.nameservers",
     __LINE__},
    {"prevResult with a bad address",
     R"({"name":"n","prevResult":{"ips":[{"version":"4","address":"10.0.0.300/8"}]},"cniVersion":"0.4.0"})",
     6, "ips[0].address", __LINE__},
    {"prevResult without version",
     R"({"name":"n","cniVersion":"0.4.0","prevResult":{"ips":[{"version":"4","address":"10.0.0.3/8"}]}})",
     0, "", __LINE__},
};

TEST(cni_config, errors_have_codes_and_name_the_key_and_its_value) {
  for (const auto &c : kConfigCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = parse_config(c.text, Strictness::strict);
    EXPECT_EQ(got ? 0U : got.error().code(), c.code) << (got ? "" : got.error().message());
    if (!got) {
      EXPECT_NE((got.error().message() + got.error().details()).find(c.mentions), std::string::npos)
          << got.error().message() << " / " << got.error().details();
    }
  }
}

TEST(cni_config, no_version_is_the_oldest) {
  EXPECT_EQ(parse_config(R"({"name":"n"})", Strictness::strict)->version, kOldestVersion);
  EXPECT_EQ(parse_config(R"({"name":"n","cniVersion":""})", Strictness::strict)->version,
            kOldestVersion);
}

TEST(cni_config, keys_match_in_any_case_and_the_last_one_wins) {
  const auto config =
      parse_config(R"({"NAME":"first","name":"second","Name":"third"})", Strictness::strict);
  EXPECT_EQ(config->name, "third");
  const auto caps = parse_config(R"({"Name":"n","IPAM":{"TYPE":"static"}})", Strictness::strict);
  EXPECT_EQ(caps->ipam_type, "static");
}

TEST(cni_config, del_takes_what_reads_and_leaves_the_rest) {
  const auto config = parse_config(
      R"({"name":"n","cniVersion":"1.0.0","ipam":{"type":7},"dns":"x","prevResult":{"ips":[{"address":"bad"}]}})",
      Strictness::lenient);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->ipam_type, "");
  EXPECT_FALSE(config->previous);
  EXPECT_FALSE(parse_config("{", Strictness::lenient));
}

TEST(cni_config, garbage_collection_distinguishes_an_absent_list_from_an_empty_one) {
  const auto absent = parse_config(R"({"name":"n"})", Strictness::strict);
  EXPECT_FALSE(absent->valid_attachments);
  const auto null =
      parse_config(R"({"name":"n","cni.dev/valid-attachments":null})", Strictness::strict);
  ASSERT_TRUE(null->valid_attachments);
  EXPECT_TRUE(null->valid_attachments->empty());
  const auto one =
      parse_config(R"({"name":"n","cni.dev/attachments":[{"containerID":"c","ifname":"eth0"}]})",
                   Strictness::strict);
  EXPECT_EQ(one->valid_attachments->count({"c", "eth0"}), 1U);
}

TEST(cni_config, the_version_is_known_even_if_the_rest_is_wrong) {
  EXPECT_EQ(read_version(R"({"cniVersion":"0.4.0","name":7})"), (Version{0, 4, 0}));
  EXPECT_EQ(read_version("nonsense"), kOldestVersion);
}

TEST(cni_error, the_object_has_version_code_message_and_details) {
  const CniError error(Code::try_again, "message \"quoted\"", "more");
  EXPECT_EQ(error.str({1, 0, 0}),
            R"({"cniVersion":"1.0.0","code":11,"msg":"message \"quoted\"","details":"more"})");
  EXPECT_EQ(CniError(Code::io, "m").str({0, 4, 0}), R"({"cniVersion":"0.4.0","code":5,"msg":"m"})");
}

struct NumberCase {
  const char *name, *text;
  bool accepted;
  int line;
};

const NumberCase kNumberCases[] = {
    {"in range", R"({"mtu":1500})", true, __LINE__},
    {"absent", "{}", true, __LINE__},
    {"null is absent", R"({"mtu":null})", true, __LINE__},
    {"a string", R"({"mtu":"1500"})", false, __LINE__},
    {"negative", R"({"mtu":-1})", false, __LINE__},
    {"too big", R"({"mtu":70000})", false, __LINE__},
    {"bigger than 64 bits hold", R"({"mtu":18446744073709551615})", false, __LINE__},
    {"a fraction", R"({"mtu":1500.5})", false, __LINE__},
};

TEST(cni_json, numbers_are_whole_and_in_range) {
  for (const auto &c : kNumberCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto document = JsonDocument::parse(c.text);
    ASSERT_TRUE(document);
    const auto got = ObjectReader(document->root(), "").number("mtu", 0, 65535);
    EXPECT_EQ(got.has_value(), c.accepted);
    if (!got) {
      EXPECT_NE(got.error().message().find("mtu is "), std::string::npos);
    }
  }
}

} // namespace
} // namespace sluice::cni
