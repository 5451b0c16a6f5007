#include "cni/protocol/plugin.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

/// Counts what reaches it.
class Spy final : public Plugin {
public:
  std::string_view name() const override { return "spy"; }
  Outcome<AddResult> add(const Request &) const override {
    calls += "add ";
    AddResult result;
    result.ips.push_back(
        {InterfaceAddress::parse("10.0.0.5/24").value(), std::nullopt, std::nullopt});
    return result;
  }
  Outcome<> del(const Request &) const override { return fail_or_count("del "); }
  Outcome<> check(const Request &) const override { return fail_or_count("check "); }
  Outcome<> status(const Request &) const override { return fail_or_count("status "); }
  Outcome<> gc(const Request &) const override { return fail_or_count("gc "); }
  mutable std::string calls;

private:
  Outcome<> fail_or_count(const char *call) const {
    calls += call;
    return {};
  }
};

struct VerbCase {
  const char *name, *command, *config;
  const char *calls, *out; // out: exact, or a part of it after "~"
  int exit_status, line;
};

const VerbCase kVerbs[] = {
    {"VERSION reads nothing", "VERSION", nullptr, "", "~\"supportedVersions\":[\"0.1.0\"", 0,
     __LINE__},
    {"ADD answers in the configuration's version", "ADD", R"({"name":"n","cniVersion":"0.4.0"})",
     "add ",
     R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.0.0.5/24"}],"dns":{}})"
     "\n",
     0, __LINE__},
    {"without a version the oldest form", "ADD", R"({"name":"n"})", "add ",
     R"({"cniVersion":"0.1.0","ip4":{"ip":"10.0.0.5/24"},"dns":{}})"
     "\n",
     0, __LINE__},
    {"DEL is silent", "DEL", R"({"name":"n","cniVersion":"1.0.0"})", "del ", "", 0, __LINE__},
    {"CHECK is silent", "CHECK", R"({"name":"n","cniVersion":"0.4.0"})", "check ", "", 0, __LINE__},
    {"CHECK came with 0.4.0", "CHECK", R"({"name":"n","cniVersion":"0.3.1"})", "", "~\"code\":1,",
     1, __LINE__},
    {"STATUS came with 1.1.0", "STATUS", R"({"name":"n","cniVersion":"1.0.0"})", "", "~\"code\":1,",
     1, __LINE__},
    {"GC came with 1.1.0", "GC", R"({"name":"n","cniVersion":"1.0.0"})", "", "~\"code\":1,", 1,
     __LINE__},
    {"GC without a list does nothing", "GC", R"({"name":"n","cniVersion":"1.1.0"})", "", "", 0,
     __LINE__},
    {"GC with an empty list", "GC",
     R"({"name":"n","cniVersion":"1.1.0","cni.dev/valid-attachments":[]})", "gc ", "", 0, __LINE__},
    {"an unknown verb", "FIX", R"({"name":"n"})", "", "~\"code\":4,", 1, __LINE__},
    {"an error carries the configuration's version", "ADD", R"({"cniVersion":"0.4.0"})", "",
     "~{\"cniVersion\":\"0.4.0\",\"code\":7,", 1, __LINE__},
};

TEST(cni_plugin, verbs_reach_the_plugin_if_the_version_has_them) {
  for (const auto &c : kVerbs) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const Spy spy;
    const auto got = answer(spy,
                            {{"CNI_COMMAND", c.command},
                             {"CNI_CONTAINERID", "c"},
                             {"CNI_NETNS", "/x"},
                             {"CNI_IFNAME", "eth0"}},
                            [&]() -> Outcome<std::string> {
                              EXPECT_NE(c.config, nullptr) << "stdin was read";
                              return std::string(c.config ? c.config : "");
                            });
    EXPECT_EQ(got.exit_status, c.exit_status);
    EXPECT_EQ(spy.calls, c.calls);
    if (c.out[0] == '~') {
      EXPECT_NE(got.out.find(c.out + 1), std::string::npos) << got.out;
    } else {
      EXPECT_EQ(got.out, c.out);
    }
  }
}

TEST(cni_plugin, by_hand_it_says_what_it_is_on_stderr) {
  const auto got = answer(Spy(), {{"PATH", "/bin"}}, [] { return Outcome<std::string>("{}"); });
  EXPECT_EQ(got.exit_status, 0);
  EXPECT_EQ(got.out, "");
  EXPECT_NE(got.err.find("spy"), std::string::npos);
  EXPECT_NE(got.err.find("1.1.0"), std::string::npos);
}

TEST(cni_plugin, stdin_that_cannot_be_read_is_code_5) {
  const auto got =
      answer(Spy(), {{"CNI_COMMAND", "DEL"}, {"CNI_CONTAINERID", "c"}, {"CNI_IFNAME", "eth0"}},
             []() -> Outcome<std::string> { return fail(Code::io, "read"); });
  EXPECT_NE(got.out.find("\"code\":5"), std::string::npos);
}

} // namespace
} // namespace sluice::cni
