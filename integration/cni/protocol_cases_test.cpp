// Cases T001 to T031: the process, its variables, its input and its errors.
#include "integration/cni/cases.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::integration {
namespace {

class cni_protocol_cases : public testing::Test {
protected:
  void expect_error(const PluginRun &run, unsigned code, const std::string &mentions = {}) {
    EXPECT_EQ(run.exit_status, 1) << run.output;
    EXPECT_EQ(code_of(run.output), code) << run.output;
    EXPECT_TRUE(has(run.output, mentions)) << run.output;
  }
  /// ADD of "c1" with these variables.
  PluginRun add_with(const cni::Variables &variables, const std::string &version = "1.1.0") {
    return runtime.call(Command::add, "c1", at(version, runtime.usual()), variables);
  }
  /// Without one variable: run by a script that unsets it.
  PluginRun without(const std::string &variable, Command command, const std::string &config) {
    const auto program =
        runtime.script("unset-" + variable, "unset " + variable + "; exec " + Runtime::sluice());
    return runtime.call(command, "c1", config, {}, program);
  }
  Runtime runtime;
};

TEST_F(cni_protocol_cases, T001_version_needs_nothing_and_does_not_read_stdin) {
  const std::string all = R"("0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0")";
  for (const std::string name : {"sluice", "sluice-ipam", "bridge", "ptp", "host-local", "loopback",
                                 "portmap", "bandwidth", "tuning", "flannel"}) {
    SCOPED_TRACE(name);
    const auto program = runtime.script("version", "exec env -i CNI_COMMAND=VERSION " +
                                                       runtime.program(name) + " <&-");
    const auto run = runtime.call(Command::version, "c1", "", {}, program);
    EXPECT_EQ(run.exit_status, 0);
    EXPECT_EQ(value_at(run.output, "/cniVersion"), "1.1.0");
    const auto versions = name == "bandwidth" ? all.substr(all.find("\"0.3.0")) : all;
    EXPECT_EQ(value_at(run.output, "/supportedVersions"), "[" + versions + "]");
  }
}

TEST_F(cni_protocol_cases, T002_without_a_command_it_says_what_it_is) {
  const auto errors = runtime.folder().path() + "/stderr";
  const auto program =
      runtime.script("by-hand", "exec env -i " + Runtime::sluice() + " 2>" + errors);
  const auto run = runtime.call(Command::add, "c1", "", {}, program);
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_EQ(run.output, "");
  EXPECT_TRUE(has(file_content(errors), "0.4.0")) << file_content(errors);
}

TEST_F(cni_protocol_cases, T003_an_unknown_command_is_refused_without_side_effect) {
  for (const auto *command : {"FOO", "add", ""})
    expect_error(add_with({{"CNI_COMMAND", command}}), 4, "CNI_COMMAND");
  runtime.expect_nothing_left();
  EXPECT_EQ(listing(runtime.store()), "");
}

TEST_F(cni_protocol_cases, T004_all_missing_variables_are_named_at_once) {
  const auto program = runtime.script("bare", "exec env -i CNI_COMMAND=ADD " + Runtime::sluice());
  const auto run = runtime.call(Command::add, "c1", runtime.usual(), {}, program);
  expect_error(run, 4, "CNI_CONTAINERID");
  EXPECT_TRUE(has(run.output, "CNI_NETNS") && has(run.output, "CNI_IFNAME")) << run.output;
}

struct NeededCase {
  Command command;
  const char *variable;
  bool needed;
  int line;
};

// CNI_PATH is needed to run another program only.
const NeededCase kNeeded[] = {
    {Command::add, "CNI_CONTAINERID", true, __LINE__},
    {Command::add, "CNI_NETNS", true, __LINE__},
    {Command::add, "CNI_IFNAME", true, __LINE__},
    {Command::add, "CNI_PATH", false, __LINE__},
    {Command::add, "CNI_ARGS", false, __LINE__},
    {Command::check, "CNI_CONTAINERID", true, __LINE__},
    {Command::check, "CNI_NETNS", true, __LINE__},
    {Command::check, "CNI_IFNAME", true, __LINE__},
    {Command::check, "CNI_PATH", false, __LINE__},
    {Command::del, "CNI_CONTAINERID", true, __LINE__},
    {Command::del, "CNI_NETNS", false, __LINE__},
    {Command::del, "CNI_IFNAME", true, __LINE__},
    {Command::del, "CNI_PATH", false, __LINE__},
    {Command::status, "CNI_CONTAINERID", false, __LINE__},
    {Command::status, "CNI_NETNS", false, __LINE__},
    {Command::status, "CNI_PATH", false, __LINE__},
    {Command::gc, "CNI_CONTAINERID", false, __LINE__},
    {Command::gc, "CNI_PATH", false, __LINE__},
    {Command::version, "CNI_CONTAINERID", false, __LINE__},
};

TEST_F(cni_protocol_cases, T005_each_verb_needs_its_variables) {
  for (const auto &c : kNeeded) {
    SCOPED_TRACE(std::string(name_of(c.command)) + " without " + c.variable + " (line " +
                 std::to_string(c.line) + ")");
    auto config = runtime.usual();
    if (c.command == Command::check)
      config = cni::with_previous(config, runtime.added("sluice", "c1", config));
    const auto run = without(c.variable, c.command, config);
    if (c.needed)
      expect_error(run, 4, c.variable);
    else {
      EXPECT_EQ(run.exit_status, 0) << run.output;
    }
    runtime.removed("sluice", "c1", runtime.usual());
  }
}

struct NameCase {
  const char *variable, *value;
  bool valid;
  int line;
};

const NameCase kNames[] = {
    {"CNI_CONTAINERID", "_a", false, __LINE__},
    {"CNI_CONTAINERID", "a b", false, __LINE__},
    {"CNI_CONTAINERID", "a/b", false, __LINE__},
    {"CNI_CONTAINERID", "../a", false, __LINE__},
    {"CNI_CONTAINERID", "5f1c.a_-b", true, __LINE__},
    {"CNI_IFNAME", "abcdefghijklmnop", false, __LINE__},
    {"CNI_IFNAME", ".", false, __LINE__},
    {"CNI_IFNAME", "..", false, __LINE__},
    {"CNI_IFNAME", "a/b", false, __LINE__},
    {"CNI_IFNAME", "a:b", false, __LINE__},
    {"CNI_IFNAME", "a b", false, __LINE__},
    {"CNI_IFNAME", "a\tb", false, __LINE__},
    {"CNI_IFNAME", "abcdefghijklmno", true, __LINE__},
};

TEST_F(cni_protocol_cases, T006_T007_names_of_containers_and_interfaces) {
  for (const auto &c : kNames) {
    SCOPED_TRACE(std::string(c.value) + " (line " + std::to_string(c.line) + ")");
    const auto run = add_with({{c.variable, c.value}});
    if (c.valid) {
      EXPECT_EQ(run.exit_status, 0) << run.output;
    } else {
      expect_error(run, 4, c.variable);
    }
    runtime.call(Command::del, "c1", runtime.usual(), {{c.variable, c.value}});
    runtime.expect_nothing_left();
  }
}

struct InputCase {
  const char *name, *input;
  unsigned code;
  int line;
};

const InputCase kInputs[] = {
    {"T009 no JSON", "{", 6, __LINE__},
    {"T009 nothing", "", 6, __LINE__},
    {"T009 no object", "[]", 6, __LINE__},
    {"T009 no name", R"({"cniVersion":"1.1.0","type":"sluice"})", 7, __LINE__},
    {"T009 a name with a slash", R"({"cniVersion":"1.1.0","name":"a/b"})", 7, __LINE__},
    {"T009 more than one document", R"({"cniVersion":"1.1.0","name":"a"}{})", 6, __LINE__},
    {"T011 a version to come", R"({"cniVersion":"9.9.9","name":"a"})", 1, __LINE__},
    {"T011 a version with a letter", R"({"cniVersion":"1.a","name":"a"})", 6, __LINE__},
    {"T011 a version of four parts", R"({"cniVersion":"1.0.0.0","name":"a"})", 6, __LINE__},
};

TEST_F(cni_protocol_cases, T009_T011_input_that_does_not_read) {
  for (const auto &c : kInputs)
    for (const auto command : {Command::add, Command::del, Command::status}) {
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
      expect_error(runtime.call(command, "c1", c.input), c.code);
    }
  const auto future = runtime.call(Command::add, "c1", at("9.9.9", runtime.usual()));
  EXPECT_TRUE(has(value_at(future.output, "/details"), "9.9.9")) << future.output;
  EXPECT_TRUE(has(value_at(future.output, "/details"), "1.1.0")) << future.output;
  runtime.expect_nothing_left();
}

TEST_F(cni_protocol_cases, T010_no_version_is_0_1_0) {
  for (const std::string version : {"\"cniVersion\":\"1.1.0\",", ""}) {
    auto config = runtime.usual();
    config.erase(config.find("\"cniVersion\""), std::string("\"cniVersion\":\"1.1.0\",").size());
    if (!version.empty())
      config.insert(1, "\"cniVersion\":\"\",");
    const auto result = runtime.added("sluice", "c1", config);
    EXPECT_EQ(value_at(result, "/cniVersion"), "0.1.0");
    EXPECT_EQ(value_at(result, "/ip4/ip").substr(0, 8), "10.77.0.") << result;
    runtime.removed("sluice", "c1", config);
  }
}

TEST_F(cni_protocol_cases, T012_verbs_that_a_version_does_not_have_reach_no_delegate) {
  const auto mark = runtime.folder().path() + "/called";
  runtime.script("delegates/spy", "touch " + mark);
  const auto config = runtime.config("", R"("type":"spy")");
  for (const auto &version : kVersions)
    for (const auto command : {Command::check, Command::status, Command::gc}) {
      const bool known = command == Command::check ? has_check(version) : has_status(version);
      if (known)
        continue;
      SCOPED_TRACE(version + " " + std::string(name_of(command)));
      expect_error(runtime.call(command, "c1", at(version, config),
                                {{"CNI_PATH", runtime.folder().path() + "/delegates"}}),
                   1);
      EXPECT_FALSE(std::filesystem::exists(mark));
    }
}

TEST_F(cni_protocol_cases, T013_stdin_that_cannot_be_read) {
  for (const auto *input : {"<&-", "</"})
    expect_error(runtime.call(Command::add, "c1", "", {},
                              runtime.script("unreadable", "exec " + Runtime::sluice() + input)),
                 5, "stdin");
}

TEST_F(cni_protocol_cases, T016_of_keys_that_differ_in_case_the_last_one_counts) {
  for (const auto &version : kVersions) {
    auto config = at(version, runtime.usual());
    config.insert(config.size() - 1, R"(,"BRIDGE":"br1")");
    runtime.added("sluice", "c1", config);
    EXPECT_TRUE(has(runtime.on_host("ip -br link show master br1"), "veth")) << version;
    runtime.removed("sluice", "c1", config);
  }
}

TEST_F(cni_protocol_cases, T017_unknown_keys_and_nulls_are_absent) {
  const auto config = runtime.config(
      R"("unknown":{"a":[1]},"mtu":null,"vlan":null,"dns":null,"runtimeConfig":null,"prevResult":null,"isGateway":true,)",
      R"("type":"sluice-ipam","subnet":"10.77.0.0/24","more":1,"routes":null,"gateway":null)");
  for (const auto &version : kVersions) {
    runtime.added("sluice", "c1", at(version, config));
    runtime.removed("sluice", "c1", at(version, config));
  }
}

struct ArgsCase {
  const char *args;
  bool taken;
  int line;
};

const ArgsCase kArgs[] = {
    {"", true, __LINE__},
    {"K8S_POD_NAME=a;K8S_POD_NAMESPACE=b;K8S_POD_UID=c;K8S_POD_INFRA_CONTAINER_ID=d", true,
     __LINE__},
    {"COLOUR=red", false, __LINE__},
    {"COLOUR=red;IgnoreUnknown=1", true, __LINE__},
    {"IgnoreUnknown=true;COLOUR=red", true, __LINE__},
    {"COLOUR=red;IgnoreUnknown=True", true, __LINE__},
    {"COLOUR=red;IgnoreUnknown=0", false, __LINE__},
    {"IgnoreUnknown=maybe", false, __LINE__},
    {"K8S_POD_NAME=a=b", true, __LINE__},
    {"IP", false, __LINE__},
};

TEST_F(cni_protocol_cases, T018_arguments_are_known_or_ignored_on_request) {
  for (const auto &c : kArgs)
    for (const auto &version : kVersions) {
      SCOPED_TRACE(std::string(c.args) + " (line " + std::to_string(c.line) + ") " + version);
      const auto run = add_with({{"CNI_ARGS", c.args}}, version);
      if (c.taken) {
        EXPECT_EQ(run.exit_status, 0) << run.output;
      } else {
        expect_error(run, 7, "CNI_ARGS");
      }
      // DEL takes what ADD refuses.
      runtime.removed("sluice", "c1", at(version, runtime.usual()), {{"CNI_ARGS", c.args}});
      EXPECT_EQ(runtime.reserved(), "");
    }
}

TEST_F(cni_protocol_cases, T021_T022_namespaces_that_are_none_or_our_own) {
  const auto missing = runtime.folder().path() + "/gone", plain = runtime.folder().path() + "/file";
  write_file(plain, "");
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    expect_error(add_with({{"CNI_NETNS", "/proc/self/ns/net"}}, version), 8);
    expect_error(add_with({{"CNI_NETNS", missing}}, version), 3, missing);
    expect_error(add_with({{"CNI_NETNS", plain}}, version), 4, plain);
  }
  runtime.expect_nothing_left();
  EXPECT_EQ(listing(runtime.store()), "");
}

TEST_F(cni_protocol_cases, T023_a_namespace_by_process_and_by_link_appears_verbatim) {
  const auto link = runtime.folder().path() + "/netns";
  std::filesystem::create_symlink(runtime.netns_of("c1"), link);
  for (const auto &version : kVersions) {
    if (version < "0.3.0")
      continue;
    const auto result =
        runtime.added("sluice", "c1", at(version, runtime.usual()), {{"CNI_NETNS", link}});
    EXPECT_EQ(value_at(result, "/interfaces/2/sandbox"), link);
    runtime.removed("sluice", "c1", at(version, runtime.usual()), {{"CNI_NETNS", link}});
  }
}

TEST_F(cni_protocol_cases, T024_T025_T030_a_delegates_error_and_words_are_passed_up) {
  const auto errors = runtime.folder().path() + "/stderr";
  runtime.script("delegates/typed",
                 R"(echo words >&2; echo '{"code":123,"msg":"no milk","details":"none"}'; exit 3)");
  runtime.script("delegates/untyped", "echo out of milk; exit 3");
  const auto program = runtime.script("caller", "exec " + Runtime::sluice() + " 2>" + errors);
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    const auto call = [&](const std::string &type) {
      return runtime.call(Command::add, "c1",
                          at(version, runtime.config("", R"("type":")" + type + "\"")),
                          {{"CNI_PATH", runtime.folder().path() + "/delegates"}}, program);
    };
    const auto typed = call("typed");
    expect_error(typed, 123, "no milk");
    EXPECT_EQ(value_at(typed.output, "/details"), "none");
    EXPECT_EQ(value_at(typed.output, "/cniVersion"), version);
    EXPECT_TRUE(has(file_content(errors), "words"));
    const auto untyped = call("untyped");
    EXPECT_EQ(untyped.exit_status, 1);
    EXPECT_GE(code_of(untyped.output), 100U) << untyped.output;
    EXPECT_TRUE(has(untyped.output, "untyped")) << untyped.output;
  }
  runtime.expect_nothing_left();
}

TEST_F(cni_protocol_cases, T026_a_reader_that_went_away_takes_the_interface_along) {
  const auto fifo = runtime.folder().path() + "/fifo";
  const auto program =
      runtime.script("unheard", "mkfifo " + fifo + "; exec 3<>" + fifo + " 4>" + fifo +
                                    " 3<&-; exec " + Runtime::sluice() + " >&4");
  EXPECT_EQ(runtime.call(Command::add, "c1", runtime.usual(), {}, program).exit_status, 1);
  runtime.expect_nothing_left();
}

TEST_F(cni_protocol_cases, T028_a_delegate_is_the_first_regular_file_of_the_path) {
  const auto folder = runtime.folder().path();
  std::filesystem::create_directories(folder + "/first/fixed");
  runtime.script("second/fixed", R"(echo '{"cniVersion":"0.4.0","ips":[{"version":"4","address":)"
                                 R"("10.77.0.9/24"}]}')");
  const auto config = runtime.config("", R"("type":"fixed")");
  for (const auto &version : kVersions) {
    const cni::Variables path = {{"CNI_PATH", folder + "/first:" + folder + "/second"}};
    const auto result = runtime.added("sluice", "c1", at(version, config), path);
    EXPECT_TRUE(has(result, "10.77.0.9/24")) << result;
    runtime.removed("sluice", "c1", at(version, config), path);
    expect_error(
        runtime.call(Command::add, "c1", at(version, config), {{"CNI_PATH", folder + "/first"}}), 7,
        "fixed");
  }
}

TEST_F(cni_protocol_cases, T029_a_delegate_may_name_no_version_or_print_null) {
  runtime.script("delegates/old", R"(echo '{"ip4":{"ip":"10.77.0.9/24"}}')");
  runtime.script("delegates/new", R"(echo '{"ips":[{"address":"10.77.0.9/24"}]}')");
  runtime.script("delegates/nothing", "echo null");
  const cni::Variables path = {{"CNI_PATH", runtime.folder().path() + "/delegates"}};
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    const auto *type = version < "0.3.0" ? R"("type":"old")" : R"("type":"new")";
    const auto config = at(version, runtime.config("", type));
    EXPECT_TRUE(has(runtime.added("sluice", "c1", config, path), "10.77.0.9/24"));
    runtime.removed("sluice", "c1", config, path);
    expect_error(runtime.call(Command::add, "c1",
                              at(version, runtime.config("", R"("type":"nothing")")), path),
                 7, "no addresses");
  }
  runtime.expect_nothing_left();
}

TEST_F(cni_protocol_cases, T031_a_delegate_that_fails_is_asked_to_take_back) {
  const auto log = runtime.folder().path() + "/log";
  runtime.script("delegates/half",
                 "echo $CNI_COMMAND >>" + log +
                     R"(; echo '{"code":7,"msg":"half"}'; [ $CNI_COMMAND = DEL ])");
  expect_error(runtime.call(Command::add, "c1", runtime.config("", R"("type":"half")"),
                            {{"CNI_PATH", runtime.folder().path() + "/delegates"}}),
               7, "half");
  EXPECT_EQ(file_content(log), "ADD\nDEL\n");
}

} // namespace
} // namespace sluice::integration
