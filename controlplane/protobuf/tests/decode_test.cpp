#include "controlplane/protobuf/decode.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using nlohmann::json;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

/// A field whose value is length-delimited; all of ours are short.
std::string field(unsigned number, const std::string &value) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(value.size())} + value;
}
std::string varint_field(unsigned number, unsigned value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}
std::string body(const std::string &api_version, const std::string &kind, const std::string &raw) {
  return std::string("k8s\0", 4) + field(1, field(1, api_version) + field(2, kind)) + field(2, raw);
}

struct Case {
  const char *command, *hex, *document;
  int line;
};
/// What kubectl v1.32.4 sent to a recorder.
const Case kRecorded[] = {
    {"kubectl create ns team",
     "6b3873000a0f0a02763112094e616d657370616365121c0a140a047465616d12001a0022002a00320038"
     "00420012001a020a001a002200",
     R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"team"},"spec":{},"status":{}})",
     __LINE__},
    {"kubectl create configmap cm --from-literal=a=1",
     "6b3873000a0f0a0276311209436f6e6669674d6170121c0a120a02636d12001a0022002a003200380042"
     "0012060a01611201311a002200",
     R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"},"data":{"a":"1"}})",
     __LINE__},
    {"kubectl create sa bot",
     "6b3873000a140a027631120e536572766963654163636f756e7412150a130a03626f7412001a0022002a"
     "003200380042001a002200",
     R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"bot"}})", __LINE__},
    {"kubectl create service nodeport web --tcp=80:8080 --node-port=30080",
     "6b3873000a0d0a027631120753657276696365126a0a1f0a0377656212001a0022002a00320038004200"
     "5a0a0a03617070120377656212430a1d0a0738302d38303830120354435018502207080010903f1a0028"
     "80eb01120a0a0361707012037765621a0022084e6f6465506f72743a00420052005a00600068001a020a"
     "001a002200",
     R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web","labels":{"app":"web"}},"spec":{"type":"NodePort","selector":{"app":"web"},"ports":[{"name":"80-8080","protocol":"TCP","port":80,"targetPort":8080,"nodePort":30080}]},"status":{"loadBalancer":{}}})",
     __LINE__},
    {"kubectl create token bot --duration=1h",
     "6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e526571"
     "75657374121d0a100a0012001a0022002a00320038004200120320901c1a040a0012001a002200",
     R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","metadata":{},"spec":{"expirationSeconds":3600}})",
     __LINE__},
    {"kubectl auth can-i get pods",
     "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65"
     "6374416363657373526576696577123c0a100a0012001a0022002a00320038004200121e0a1c0a076465"
     "6661756c7412036765741a0022002a04706f647332003a001a08080012001a0020001a002200",
     R"({"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","metadata":{},"spec":{"resourceAttributes":{"namespace":"default","verb":"get","resource":"pods"}}})",
     __LINE__},
    {"kubectl drain n1 --disable-eviction --grace-period=5",
     "6b3873000a130a027631120d44656c6574654f7074696f6e73120208051a002200",
     R"({"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":5})", __LINE__},
};

TEST(protobuf, bodies_that_kubectl_sends_are_read) {
  for (const auto &c : kRecorded) {
    SCOPED_TRACE(std::string(c.command) + " (line " + std::to_string(c.line) + ")");
    const auto got = decode_protobuf(from_hex(c.hex));
    ASSERT_TRUE(got) << got.error().what();
    EXPECT_EQ(*got, json::parse(c.document));
  }
}

TEST(protobuf, a_body_that_is_cut_off_anywhere_is_an_error_or_a_shorter_document) {
  for (const auto &c : kRecorded) {
    const auto whole = from_hex(c.hex);
    for (std::size_t size = 0; size < whole.size(); ++size)
      if (const auto got = decode_protobuf(std::string_view(whole).substr(0, size))) {
        EXPECT_TRUE(got->is_object());
      }
  }
}

TEST(protobuf, a_changed_byte_never_breaks_the_decoder) {
  for (const auto &c : kRecorded) {
    const auto whole = from_hex(c.hex);
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
        auto changed = whole;
        changed[at] = static_cast<char>(value);
        if (const auto got = decode_protobuf(changed)) {
          EXPECT_TRUE(got->is_object());
        }
      }
  }
}

TEST(protobuf, a_lease_has_times_to_the_microsecond) {
  const auto time = varint_field(1, 60) + std::string("\x10\xc0\x84\x3d"); // 1 ms
  const auto lease =
      field(1, field(1, "n1")) + field(2, field(1, "n1") + varint_field(2, 40) + field(4, time));
  const auto got = decode_protobuf(body("coordination.k8s.io/v1", "Lease", lease));
  ASSERT_TRUE(got) << got.error().what();
  EXPECT_EQ(
      (*got)["spec"],
      json::parse(
          R"({"holderIdentity":"n1","leaseDurationSeconds":40,"renewTime":"1970-01-01T00:01:00.001000Z"})"));
}

TEST(protobuf, an_event_of_either_group) {
  const auto about = field(1, "Node") + field(3, "n1");
  const auto core = decode_protobuf(
      body("v1", "Event", field(2, about) + field(4, "hello") + varint_field(8, 3)));
  ASSERT_TRUE(core);
  EXPECT_EQ((*core)["involvedObject"]["name"], "n1");
  EXPECT_EQ((*core)["message"], "hello");
  EXPECT_EQ((*core)["count"], 3);
  const auto event =
      decode_protobuf(body("events.k8s.io/v1", "Event", field(8, about) + field(10, "hello")));
  ASSERT_TRUE(event);
  EXPECT_EQ((*event)["regarding"]["kind"], "Node");
  EXPECT_EQ((*event)["note"], "hello");
}

TEST(protobuf, binary_data_is_base64_and_optional_zeros_stay) {
  const auto map = decode_protobuf(
      body("v1", "ConfigMap",
           field(3, field(1, "k") + field(2, std::string("\x00\xff", 2))) + varint_field(4, 0)));
  ASSERT_TRUE(map);
  EXPECT_EQ((*map)["binaryData"]["k"], "AP8=");
  EXPECT_EQ((*map)["immutable"], false);
}

TEST(protobuf, what_cannot_be_read_is_named) {
  EXPECT_EQ(decode_protobuf("{}").error().code(), Errc::invalid_input);
  const auto unknown = decode_protobuf(body("apps/v1", "Deployment", ""));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Errc::unsupported);
  EXPECT_NE(unknown.error().what().find("apps/v1 Deployment"), std::string::npos);
  const auto wrong = decode_protobuf(body("v1", "ConfigMap", varint_field(1, 1)));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().what().find("metadata: has the wrong wire type"), std::string::npos)
      << wrong.error().what();
}

} // namespace
} // namespace sluice::controlplane
