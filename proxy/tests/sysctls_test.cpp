#include "proxy/sysctls.hpp"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;

TEST(proxy_sysctls, the_size_of_the_connection_table_follows_the_cores_within_bounds) {
  const struct {
    std::int64_t per_core, min;
    unsigned cores;
    std::int64_t most;
    int line;
  } kCases[] = {
      {32768, 131072, 2, 131072, __LINE__},
      {32768, 131072, 8, 262144, __LINE__},
      {32768, 131072, 64, 1048576, __LINE__},
      {32768, 2000000, 1, 1048576, __LINE__},
      {0, 131072, 8, 0, __LINE__},
      {1, 0, 4, 4, __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    SysctlWishes wishes;
    wishes.maxPerCore = c.per_core;
    wishes.min = c.min;
    EXPECT_EQ(conntrack_max(wishes, c.cores), c.most);
  }
}

/// /proc/sys as a map; some of it cannot be written.
struct Machine {
  std::map<std::string, std::string> values{{"nf_conntrack_max", "65536"},
                                            {"nf_conntrack_buckets", "262144"},
                                            {"nf_conntrack_tcp_timeout_established", "432000"},
                                            {"nf_conntrack_tcp_timeout_close_wait", "60"},
                                            {"nf_conntrack_tcp_be_liberal", "0"}};
  std::set<std::string> read_only;

  static std::string bare(const std::string &name) { return name.substr(name.rfind('/') + 1); }
  ReadSysctl reader() {
    return [this](const std::string &name) -> Result<std::string> {
      if (values.count(bare(name)) == 0)
        return fail(Errc::not_found, "no " + name);
      return values.at(bare(name));
    };
  }
  WriteSysctl writer() {
    return [this](const std::string &name, const std::string &value) -> Result<> {
      if (read_only.count(bare(name)) > 0)
        return fail(Errc::no_permission, "read-only file system");
      values[bare(name)] = value;
      return {};
    };
  }
};

SysctlWishes defaults() { return {32768, 131072, 24h, 1h, 0s, 0s, false}; }

TEST(proxy_sysctls, what_is_too_low_is_raised_and_nothing_is_lowered) {
  Machine machine;
  auto wishes = defaults();
  wishes.tcpBeLiberal = true;
  auto states = look_at(wishes, 2, machine.reader());
  raise(states, machine.writer());
  EXPECT_EQ(machine.values.at("nf_conntrack_max"), "131072");
  EXPECT_EQ(machine.values.at("nf_conntrack_buckets"), "262144") << "more than a quarter is there";
  EXPECT_EQ(machine.values.at("nf_conntrack_tcp_timeout_established"), "432000");
  EXPECT_EQ(machine.values.at("nf_conntrack_tcp_timeout_close_wait"), "3600");
  EXPECT_EQ(machine.values.at("nf_conntrack_tcp_be_liberal"), "1");
  for (const auto &state : states)
    EXPECT_TRUE(state.enough()) << state.name;
}

TEST(proxy_sysctls, zero_asks_for_nothing) {
  Machine machine;
  EXPECT_TRUE(look_at({}, 4, machine.reader()).empty());
  for (const auto &state : look_at(defaults(), 4, machine.reader()))
    EXPECT_EQ(state.name.find("udp"), std::string::npos);
}

TEST(proxy_sysctls, a_parameter_that_is_missing_or_read_only_is_told_and_left) {
  Machine machine;
  machine.read_only = {"nf_conntrack_max"};
  auto wishes = defaults();
  wishes.udpTimeout = 30s;
  auto states = look_at(wishes, 2, machine.reader());
  raise(states, machine.writer());
  const auto find = [&](const std::string &name) {
    return *std::find_if(states.begin(), states.end(), [&](const SysctlState &state) {
      return Machine::bare(state.name) == name;
    });
  };
  EXPECT_NE(find("nf_conntrack_max").error.find("read-only"), std::string::npos);
  EXPECT_EQ(find("nf_conntrack_max").present, 65536);
  EXPECT_FALSE(find("nf_conntrack_udp_timeout").present);
  EXPECT_FALSE(find("nf_conntrack_udp_timeout").error.empty());
  EXPECT_TRUE(find("nf_conntrack_tcp_timeout_close_wait").enough()) << "the others are done";
}

} // namespace
} // namespace sluice::proxy
