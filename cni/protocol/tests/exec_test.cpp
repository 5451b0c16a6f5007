#include "cni/protocol/exec.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::cni {
namespace {

/// A folder with scripts that play the plugin; removed at the end.
class PluginFolder {
public:
  PluginFolder() {
    char name[] = "/tmp/slc-plugins-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~PluginFolder() {
    for (const auto &file : files_)
      ::unlink(file.c_str());
    for (const auto &folder : folders_)
      ::rmdir(folder.c_str());
    ::rmdir(path_.c_str());
  }
  std::string add(const std::string &name, const std::string &script) {
    const auto file = path_ + "/" + name;
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    const auto text = "#!/bin/sh\n" + script + "\n";
    EXPECT_TRUE(write_all(fd, text));
    ::close(fd);
    files_.push_back(file);
    return file;
  }
  std::string add_folder(const std::string &name) {
    const auto folder = path_ + "/" + name;
    ::mkdir(folder.c_str(), 0755);
    folders_.push_back(folder);
    return folder;
  }
  const std::string &path() const { return path_; }

private:
  std::string path_;
  std::vector<std::string> files_, folders_;
};

const Variables kVariables = {{"PATH", "/usr/bin:/bin"}, {"CNI_COMMAND", "ADD"}, {"X", "1"}};

TEST(cni_exec, a_plugin_gets_the_variables_and_all_of_the_input) {
  PluginFolder folder;
  const auto program = folder.add("p", "echo $CNI_COMMAND $X $(wc -c)");
  const std::string big(1U << 20, 'x');
  const auto text = call_plugin(program, Command::del, kVariables, big);
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(*text, "DEL 1 1048576\n");
}

TEST(cni_exec, a_plugin_that_reads_nothing_does_no_harm) {
  PluginFolder folder;
  const auto program = folder.add("p", "exec 0<&-; echo done");
  const auto text = call_plugin(program, Command::add, kVariables, std::string(1U << 20, 'x'));
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(*text, "done\n");
}

TEST(cni_exec, the_plugins_own_error_is_passed_up) {
  PluginFolder folder;
  const auto program = folder.add("p", R"(echo '{"code":11,"msg":"full","details":"d"}'; exit 1)");
  const auto text = call_plugin(program, Command::add, kVariables, "{}");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), 11U);
  EXPECT_EQ(text.error().message(), "full");
  EXPECT_EQ(text.error().details(), "d");
}

TEST(cni_exec, a_plugin_that_fails_without_a_word_is_named) {
  PluginFolder folder;
  const auto program = folder.add("p", "kill -9 $$");
  const auto text = call_plugin(program, Command::add, kVariables, "{}");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message().find(program + "\" ended with status 137"), std::string::npos)
      << text.error().message();
}

TEST(cni_exec, a_plugin_that_never_ends_is_killed_at_the_deadline) {
  PluginFolder folder;
  const auto program = folder.add("p", "exec sleep 1000");
  const auto run = run_plugin(program, kVariables, "{}", std::chrono::milliseconds(50));
  ASSERT_FALSE(run);
  EXPECT_TRUE(run.error().is(Code::try_again));
}

TEST(cni_exec, plugins_are_found_in_the_order_of_the_path) {
  PluginFolder first, second;
  first.add_folder("p"); // a folder of that name is no plugin
  const auto program = second.add("p", "true");
  EXPECT_EQ(find_plugin("p", {first.path(), second.path()}).value(), program);

  const auto missing = find_plugin("q", {first.path(), second.path()});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().details().find(first.path() + ":" + second.path()), std::string::npos);
  EXPECT_TRUE(find_plugin("../p", {second.path()}).error().is(Code::invalid_config));
  EXPECT_TRUE(find_plugin("p", {}).error().is(Code::bad_environment));
}

TEST(cni_exec, a_closed_stdin_is_an_input_error) {
  const auto text = read_to_end(-1);
  ASSERT_FALSE(text);
  EXPECT_TRUE(text.error().is(Code::io));
}

} // namespace
} // namespace sluice::cni
