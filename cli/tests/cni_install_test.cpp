#include "cli/cni_install.hpp"

#include "ipam/tests/temp_folder.hpp"

#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

struct stat status_of(const std::string &file) {
  struct stat status {};
  EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
  return status;
}

std::size_t files_in(const std::string &folder) {
  const std::filesystem::directory_iterator files(folder);
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

TEST(cli_cni_install, every_name_is_one_executable_file) {
  TempFolder temp;
  const auto folder = temp.path() + "/opt/cni/bin";
  for (int again = 0; again < 2; ++again) {
    const auto done = install_cni("/bin/true", folder, {"sluice", "sluice-ipam", "bridge"});
    ASSERT_TRUE(done) << done.error().what();
    const auto first = status_of(folder + "/sluice");
    EXPECT_EQ(first.st_mode & 0777U, 0755U);
    EXPECT_EQ(first.st_ino, status_of(folder + "/bridge").st_ino);
    EXPECT_EQ(first.st_size, status_of("/bin/true").st_size);
    EXPECT_EQ(files_in(folder), 3U) << "nothing temporary is left";
  }
}

TEST(cli_cni_install, what_cannot_be_installed_leaves_what_there_was) {
  TempFolder temp;
  ASSERT_TRUE(install_cni("/bin/true", temp.path(), {"sluice"}));
  const auto before = status_of(temp.path() + "/sluice").st_ino;
  const auto failed = install_cni("/no/such/program", temp.path(), {"sluice"});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().what().find("/no/such/program"), std::string::npos);
  EXPECT_EQ(status_of(temp.path() + "/sluice").st_ino, before);
  EXPECT_EQ(files_in(temp.path()), 1U);
}

/// 0 if the program ran, else its exec's errno.
int start(const std::string &program) {
  const int pid = ::fork();
  if (pid == 0) {
    ::execl(program.c_str(), program.c_str(), nullptr);
    ::_exit(errno);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST(cli_cni_install, a_program_that_is_replaced_under_load_always_starts) {
  TempFolder temp;
  ASSERT_TRUE(install_cni("/bin/true", temp.path(), {"sluice", "bridge"}));
  // A process of its own, as sluicectl is: a fork here must not inherit the file that it writes.
  const int installer = ::fork();
  if (installer == 0)
    for (;;)
      if (!install_cni("/bin/true", temp.path(), {"sluice", "bridge"}))
        ::_exit(1);
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(start(temp.path() + (i % 2 ? "/bridge" : "/sluice")), 0);
  EXPECT_EQ(::waitpid(installer, nullptr, WNOHANG), 0) << "every installation went well";
  ::kill(installer, SIGKILL);
  ::waitpid(installer, nullptr, 0);
}

TEST(cli_cni_install, names_are_checked) {
  EXPECT_EQ(*parse_cni_names("bridge,ptp"), (std::vector<std::string>{"bridge", "ptp"}));
  EXPECT_GE(parse_cni_names("all")->size(), 9U);
  for (const auto *wrong : {"", "bridge,", "kubectl", "../x"})
    EXPECT_FALSE(parse_cni_names(wrong)) << wrong;
  for (const auto &name : default_cni_names())
    EXPECT_TRUE(parse_cni_names(name));
}

} // namespace
} // namespace sluice::cli
