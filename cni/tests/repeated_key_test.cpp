#include "cni/repeated_key.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

struct Case {
  int line;
  const char *name, *text, *repeated;
};

const Case kCases[] = {
    {__LINE__, "once each", R"({"sysctl":{"a":"1","b":"1"}})", nullptr},
    {__LINE__, "twice", R"({"sysctl":{"a":"1","b":"1","a":"2"}})", "a"},
    {__LINE__, "the object's name in another case", R"({"SysCtl": { "a" : 1 , "a" : 2 } })", "a"},
    {__LINE__, "deeper", R"({"args":{"cni":{"sysctl":{"a":"1","a":"2"}}}})", "a"},
    {__LINE__, "one of them escaped", R"({"sysctl":{"a":"1","\u0061":"2"}})", "a"},
    {__LINE__, "in another object", R"({"other":{"a":"1","a":"2"}})", nullptr},
    {__LINE__, "in two objects", R"({"x":{"sysctl":{"a":"1"}},"sysctl":{"a":"1"}})", nullptr},
    {__LINE__, "the object itself twice", R"({"sysctl":{"a":"1"},"sysctl":{"a":"1"}})", "a"},
    {__LINE__, "as a value", R"({"sysctl":{"a":"b","b":"a","c":["a","a"],"d":{"a":1}}})", nullptr},
    {__LINE__, "quotes, commas and braces in texts", R"({"sysctl":{"a":"\",\"a\":{","b":"}"}})",
     nullptr},
    {__LINE__, "after an array", R"({"x":[1,{"y":[]}],"sysctl":{"a":[{},2],"a":1}})", "a"},
    {__LINE__, "an empty object", R"({"sysctl":{}})", nullptr},
    {__LINE__, "no JSON", R"(}]"sysctl":{"a)", nullptr},
    {__LINE__, "a text without end", R"({"sysctl":{"a\)", nullptr},
    {__LINE__, "a text behind the end", R"({}"a":1)", nullptr},
    {__LINE__, "nothing", "", nullptr},
};

TEST(cni_repeated_key, a_key_is_found_that_one_object_has_twice) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto found = repeated_key(c.text, "sysctl");
    EXPECT_EQ(found.value_or("none"), c.repeated != nullptr ? c.repeated : "none");
  }
}

} // namespace
} // namespace sluice::cni
