#include "cluster/supervisor.hpp"

#include <gtest/gtest.h>

using namespace sluice::cluster;
using std::chrono::milliseconds;

TEST(cluster_supervisor, a_daemon_comes_back_at_once_and_slower_each_time_it_fails_soon) {
  struct Case {
    const char *name;
    int life_ms;
    unsigned failures;
    int delay_ms, line;
  };
  const Case cases[] = {
      {"the first end is forgiven", 50, 0, 0, __LINE__},
      {"the second waits a little", 50, 1, 100, __LINE__},
      {"the third twice as long", 50, 2, 200, __LINE__},
      {"never longer than five seconds", 50, 100, 5000, __LINE__},
      {"a long life starts anew", 10000, 100, 0, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    EXPECT_EQ(restart_delay(milliseconds(c.life_ms), c.failures), milliseconds(c.delay_ms));
  }
}

TEST(cluster_supervisor, what_to_run_reads_back_as_written) {
  const std::vector<Daemon> daemons{{"a", {"/bin/a", "--flag", "with space"}}, {"b", {"/bin/b"}}};
  const auto back = parse_daemons(to_json(daemons));
  ASSERT_TRUE(back) << back.error().what();
  ASSERT_EQ(back->size(), 2U);
  EXPECT_EQ((*back)[0].argv, daemons[0].argv);
  EXPECT_EQ((*back)[1].name, "b");
  EXPECT_FALSE(parse_daemons("{}"));
  EXPECT_FALSE(parse_daemons("not json"));
}
