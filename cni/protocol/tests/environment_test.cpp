#include "cni/protocol/environment.hpp"

#include <gtest/gtest.h>

namespace sluice::cni {
namespace {

Variables complete(std::string command) {
  return {{"CNI_COMMAND", std::move(command)},
          {"CNI_CONTAINERID", "c1"},
          {"CNI_NETNS", "/run/netns/x"},
          {"CNI_IFNAME", "eth0"},
          {"CNI_PATH", "/opt/cni/bin:/usr/lib/cni"}};
}

TEST(cni_environment, a_complete_request_is_read) {
  auto variables = complete("ADD");
  variables["CNI_ARGS"] = "IgnoreUnknown=1;K8S_POD_NAME=web";
  const auto got = parse_environment(variables);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->command, Command::add);
  EXPECT_EQ(got->attachment, (Attachment{"c1", "eth0"}));
  EXPECT_EQ(got->netns, "/run/netns/x");
  EXPECT_EQ(got->path, (std::vector<std::string>{"/opt/cni/bin", "/usr/lib/cni"}));
  EXPECT_EQ(got->args, "IgnoreUnknown=1;K8S_POD_NAME=web");
}

struct MissingCase {
  const char *name, *command;
  std::vector<const char *> removed;
  const char *named; // nullptr: accepted
  int line;
};

const MissingCase kMissingCases[] = {
    {"ADD without anything names all three",
     "ADD",
     {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"},
     "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME",
     __LINE__},
    {"ADD needs the container id", "ADD", {"CNI_CONTAINERID"}, "CNI_CONTAINERID", __LINE__},
    {"ADD needs the namespace", "ADD", {"CNI_NETNS"}, "CNI_NETNS", __LINE__},
    {"ADD needs the interface name", "ADD", {"CNI_IFNAME"}, "CNI_IFNAME", __LINE__},
    {"ADD needs no path until something is delegated", "ADD", {"CNI_PATH"}, nullptr, __LINE__},
    {"CHECK needs the namespace", "CHECK", {"CNI_NETNS"}, "CNI_NETNS", __LINE__},
    {"DEL needs no namespace: it may be gone", "DEL", {"CNI_NETNS"}, nullptr, __LINE__},
    {"DEL needs the interface name", "DEL", {"CNI_IFNAME"}, "CNI_IFNAME", __LINE__},
    {"STATUS names no attachment",
     "STATUS",
     {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"},
     nullptr,
     __LINE__},
    {"GC names no attachment",
     "GC",
     {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"},
     nullptr,
     __LINE__},
    {"VERSION needs nothing else",
     "VERSION",
     {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"},
     nullptr,
     __LINE__},
};

TEST(cni_environment, every_missing_variable_is_named_in_one_error) {
  for (const auto &c : kMissingCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto variables = complete(c.command);
    for (const auto *name : c.removed)
      variables.erase(name);
    const auto got = parse_environment(variables);
    if (!c.named) {
      EXPECT_TRUE(got) << got.error().message();
      continue;
    }
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(Code::bad_environment));
    EXPECT_NE(got.error().message().find(": " + std::string(c.named)), std::string::npos)
        << got.error().message();
  }
}

struct FormCase {
  const char *name, *variable, *value;
  bool accepted;
  int line;
};

const FormCase kFormCases[] = {
    {"unknown verb", "CNI_COMMAND", "REMOVE", false, __LINE__},
    {"lower-case verb", "CNI_COMMAND", "add", false, __LINE__},
    {"id begins with an underscore", "CNI_CONTAINERID", "_c", false, __LINE__},
    {"id with a blank", "CNI_CONTAINERID", "c 1", false, __LINE__},
    {"id with a slash", "CNI_CONTAINERID", "../c", false, __LINE__},
    {"id with all that is allowed", "CNI_CONTAINERID", "1a.b_c-D", true, __LINE__},
    {"interface name of 15 bytes", "CNI_IFNAME", "abcdefghijklmno", true, __LINE__},
    {"interface name of 16 bytes", "CNI_IFNAME", "abcdefghijklmnop", false, __LINE__},
    {"interface named dot", "CNI_IFNAME", ".", false, __LINE__},
    {"interface named dot dot", "CNI_IFNAME", "..", false, __LINE__},
    {"interface name with a slash", "CNI_IFNAME", "a/b", false, __LINE__},
    {"interface name with a colon", "CNI_IFNAME", "a:b", false, __LINE__},
    {"interface name with a blank", "CNI_IFNAME", "a b", false, __LINE__},
    {"interface name with a tab", "CNI_IFNAME", "a\tb", false, __LINE__},
};

TEST(cni_environment, forms_are_checked) {
  for (const auto &c : kFormCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto variables = complete("ADD");
    variables[c.variable] = c.value;
    const auto got = parse_environment(variables);
    EXPECT_EQ(got.has_value(), c.accepted);
    if (!got) {
      EXPECT_TRUE(got.error().is(Code::bad_environment));
      EXPECT_NE(got.error().message().find(c.variable), std::string::npos) << got.error().message();
    }
  }
}

TEST(cni_environment, a_later_duplicate_wins) {
  const char *const strings[] = {"CNI_COMMAND=ADD", "A=b=c", "CNI_COMMAND=DEL", "odd", nullptr};
  const auto variables = read_variables(strings);
  EXPECT_EQ(variables.find("CNI_COMMAND")->second, "DEL");
  EXPECT_EQ(variables.find("A")->second, "b=c");
  EXPECT_FALSE(is_called_by_hand(variables));
  EXPECT_TRUE(is_called_by_hand({}));
}

struct ArgsCase {
  const char *name, *text;
  bool accepted;
  int line;
};

const ArgsCase kArgsCases[] = {
    {"nothing", "", true, __LINE__},
    {"what containerd sends", "IgnoreUnknown=1;K8S_POD_NAMESPACE=d;K8S_POD_NAME=w;K8S_POD_UID=u",
     true, __LINE__},
    {"unknown key", "COLOR=red", false, __LINE__},
    {"unknown key, ignored by 1", "COLOR=red;IgnoreUnknown=1", true, __LINE__},
    {"unknown key, ignored by true", "IgnoreUnknown=true;COLOR=red", true, __LINE__},
    {"unknown key, ignored by True", "IgnoreUnknown=True;COLOR=red", true, __LINE__},
    {"unknown key, not ignored", "COLOR=red;IgnoreUnknown=0", false, __LINE__},
    {"IgnoreUnknown of another kind", "IgnoreUnknown=maybe", false, __LINE__},
    {"keys match exactly", "ip=10.0.0.5", false, __LINE__},
    {"no equals sign", "IP", false, __LINE__},
};

TEST(cni_environment, args_are_read_key_by_key) {
  for (const auto &c : kArgsCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = parse_args(c.text);
    EXPECT_EQ(got.has_value(), c.accepted);
    if (!got) {
      EXPECT_NE(got.error().message().find("CNI_ARGS"), std::string::npos);
    }
  }
  EXPECT_EQ(parse_args("IP=10.0.0.5/24;MAC=02:00:00:00:00:01")->ip, "10.0.0.5/24");
  EXPECT_EQ(parse_args("K8S_POD_NAME=a=b")->kubernetes.at("K8S_POD_NAME"), "a=b");
}

} // namespace
} // namespace sluice::cni
