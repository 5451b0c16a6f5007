#include "controlplane/patch/json_patch.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using nlohmann::json;

struct MergeCase {
  const char *name, *target, *patch, *result;
  int line;
};
const MergeCase kMergeCases[] = {
    {"a member is added, one replaced, one removed", R"({"a":1,"b":2})",
     R"({"a":3,"b":null,"c":4})", R"({"a":3,"c":4})", __LINE__},
    {"objects merge deeply", R"({"a":{"b":1,"c":2}})", R"({"a":{"c":3}})", R"({"a":{"b":1,"c":3}})",
     __LINE__},
    {"a list is replaced whole", R"({"a":[1,2]})", R"({"a":[3]})", R"({"a":[3]})", __LINE__},
    {"a label is removed as kubectl label x- does it",
     R"({"metadata":{"labels":{"app":"web","tier":"1"}}})",
     R"({"metadata":{"labels":{"tier":null}}})", R"({"metadata":{"labels":{"app":"web"}}})",
     __LINE__},
};

TEST(json_patch, merge_patch_follows_rfc_7386) {
  for (const auto &c : kMergeCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(merge_patch(json::parse(c.target), json::parse(c.patch)), json::parse(c.result));
  }
}

struct Case {
  const char *name, *target, *patch, *result; // result nullptr: `code` and `error` instead
  Errc code;
  const char *error;
  int line;
};
const Case kCases[] = {
    {"add puts a member",
     R"({"a":1})",
     R"([{"op":"add","path":"/b","value":2}])",
     R"({"a":1,"b":2})",
     {},
     "",
     __LINE__},
    {"add inserts before an index",
     R"({"a":[1,3]})",
     R"([{"op":"add","path":"/a/1","value":2}])",
     R"({"a":[1,2,3]})",
     {},
     "",
     __LINE__},
    {"add to - appends",
     R"({"a":[1]})",
     R"([{"op":"add","path":"/a/-","value":2}])",
     R"({"a":[1,2]})",
     {},
     "",
     __LINE__},
    {"add to the root replaces everything",
     R"({"a":1})",
     R"([{"op":"add","path":"","value":[]}])",
     "[]",
     {},
     "",
     __LINE__},
    {"escapes: ~1 is a slash, ~0 a tilde",
     R"({"a/b":1,"c~d":2})",
     R"([{"op":"remove","path":"/a~1b"},{"op":"replace","path":"/c~0d","value":3}])",
     R"({"c~d":3})",
     {},
     "",
     __LINE__},
    {"remove from a list",
     R"({"a":[1,2,3]})",
     R"([{"op":"remove","path":"/a/1"}])",
     R"({"a":[1,3]})",
     {},
     "",
     __LINE__},
    {"move",
     R"({"a":1})",
     R"([{"op":"move","from":"/a","path":"/b"}])",
     R"({"b":1})",
     {},
     "",
     __LINE__},
    {"copy",
     R"({"a":[1]})",
     R"([{"op":"copy","from":"/a","path":"/b"}])",
     R"({"a":[1],"b":[1]})",
     {},
     "",
     __LINE__},
    {"test that holds",
     R"({"a":{"b":[1]}})",
     R"([{"op":"test","path":"/a","value":{"b":[1]}}])",
     R"({"a":{"b":[1]}})",
     {},
     "",
     __LINE__},
    {"null is a value",
     R"({})",
     R"([{"op":"add","path":"/a","value":null}])",
     R"({"a":null})",
     {},
     "",
     __LINE__},

    {"test that fails", R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])", nullptr,
     Errc::conflict, "JSON patch operation 0 (test \"/a\"): the value is 1", __LINE__},
    {"remove of what is not there", R"({})", R"([{"op":"remove","path":"/a"}])", nullptr,
     Errc::not_found, "there is no \"a\"", __LINE__},
    {"replace of what is not there", R"({})", R"([{"op":"replace","path":"/a","value":1}])",
     nullptr, Errc::not_found, "there is no \"a\"", __LINE__},
    {"add below a number", R"({"a":1})", R"([{"op":"add","path":"/a/b","value":1}])", nullptr,
     Errc::not_found, "neither an object nor a list", __LINE__},
    {"remove below a number", R"({"a":1})", R"([{"op":"remove","path":"/a/b"}])", nullptr,
     Errc::not_found, "neither an object nor a list", __LINE__},
    {"index past the end", R"({"a":[1]})", R"([{"op":"add","path":"/a/2","value":1}])", nullptr,
     Errc::not_found, "index 2 is outside of a list of 1 items", __LINE__},
    {"index with a leading zero", R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/01"}])", nullptr,
     Errc::not_found, "\"01\" is not an index", __LINE__},
    {"move into itself", R"({"a":{"b":1}})", R"([{"op":"move","from":"/a","path":"/a/b"}])",
     nullptr, Errc::conflict, "cannot move into itself", __LINE__},
    {"an earlier operation does not stay when a later one fails", R"({"a":1})",
     R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])", nullptr, Errc::not_found,
     "operation 1", __LINE__},

    {"no list", R"({})", R"({"op":"add"})", nullptr, Errc::invalid_input, "list of operations",
     __LINE__},
    {"no op", R"({})", R"([{"path":"/a"}])", nullptr, Errc::invalid_input, "needs \"op\"",
     __LINE__},
    {"unknown op", R"({})", R"([{"op":"frob","path":"/a"}])", nullptr, Errc::invalid_input,
     "unknown operation \"frob\"", __LINE__},
    {"no value", R"({})", R"([{"op":"add","path":"/a"}])", nullptr, Errc::invalid_input,
     "needs \"value\"", __LINE__},
    {"relative path", R"({})", R"([{"op":"remove","path":"a"}])", nullptr, Errc::invalid_input,
     "must begin with", __LINE__},
    {"bad escape", R"({})", R"([{"op":"remove","path":"/a~2"}])", nullptr, Errc::invalid_input, "~",
     __LINE__},
};

TEST(json_patch, operations_follow_rfc_6902) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = json_patch(json::parse(c.target), json::parse(c.patch));
    if (c.result != nullptr) {
      ASSERT_TRUE(got) << got.error().what();
      EXPECT_EQ(*got, json::parse(c.result));
      continue;
    }
    ASSERT_FALSE(got) << got->dump();
    EXPECT_EQ(got.error().code(), c.code);
    EXPECT_NE(got.error().what().find(c.error), std::string::npos) << got.error().what();
  }
}

} // namespace
} // namespace sluice::controlplane
