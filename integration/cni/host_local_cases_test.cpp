// Cases T180 to T205: address management by its own name, as a delegate is called, in every
// version.
#include "integration/cni/cases.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sluice::integration {
namespace {

constexpr const char *kDual = R"("ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])";

class cni_host_local_cases : public testing::Test {
protected:
  std::string config(const std::string &keys, const std::string &members = "") const {
    return runtime.config(members, R"("type":"host-local",)" + keys);
  }
  PluginRun call(Command command, const std::string &id, const std::string &text,
                 const cni::Variables &variables = {}) {
    return runtime.named("host-local", command, id, text, variables);
  }
  /// The addresses that ADD answered, or its error's code.
  std::string given(const std::string &id, const std::string &text,
                    const cni::Variables &variables = {}) {
    const auto run = call(Command::add, id, text, variables);
    if (run.exit_status != 0)
      return "code " + value_at(run.output, "/code");
    std::string ips;
    for (const auto *where : {"/ips/0/address", "/ips/1/address", "/ip4/ip", "/ip6/ip"})
      if (const auto ip = value_at(run.output, where); !ip.empty())
        ips += (ips.empty() ? "" : " ") + ip;
    return ips;
  }
  void del(const std::string &id, const std::string &text) {
    EXPECT_EQ(call(Command::del, id, text).output, "");
  }
  void start_anew() { std::filesystem::remove_all(runtime.store()); }
  std::string in_store(const std::string &name) const {
    return file_content(runtime.store() + "/" + name);
  }
  Runtime runtime;
};

TEST_F(cni_host_local_cases, T180_T186_the_files_are_those_of_the_reference_plugin) {
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    const auto text = at(version, config(kDual));
    EXPECT_EQ(given("c1", text), "10.77.0.2/24 fd77::2/64");
    EXPECT_EQ(in_store("10.77.0.2"), "c1\r\neth0");
    EXPECT_EQ(in_store("fd77::2"), "c1\r\neth0");
    EXPECT_EQ(in_store("last_reserved_ip.0") + " " + in_store("last_reserved_ip.1"),
              "10.77.0.2 fd77::2");
    del("c1", text);
    EXPECT_EQ(listing(runtime.store()), ".sluice-index last_reserved_ip.0 last_reserved_ip.1 lock");
    start_anew();
  }
}

TEST_F(cni_host_local_cases, T181_T182_each_interface_has_its_own_and_only_one) {
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    const auto text = at(version, config(R"("subnet":"10.77.0.0/24")"));
    EXPECT_EQ(given("c1", text), "10.77.0.2/24");
    EXPECT_EQ(given("c1", text, {{"CNI_IFNAME", "net1"}}), "10.77.0.3/24");
    EXPECT_EQ(given("c1", text).substr(0, 5), "code ") << "it holds one already";
    EXPECT_EQ(runtime.reserved(), "10.77.0.2 10.77.0.3");
    del("c1", text);
    EXPECT_EQ(runtime.reserved(), "10.77.0.3");
    EXPECT_EQ(given("c1", text), "10.77.0.4/24") << "the next, not the one just freed";
    start_anew();
  }
}

TEST_F(cni_host_local_cases, T183_T184_old_records_and_blanks_count) {
  const auto text = config(R"("subnet":"10.77.0.0/24")");
  for (const auto *content : {"c1", " c1 ", "c1\n", " c1\r\neth0 "}) {
    std::filesystem::create_directories(runtime.store());
    write_file(runtime.store() + "/10.77.0.5", content);
    EXPECT_EQ(call(Command::check, "c1", text).output, "");
    EXPECT_EQ(given("c1", text).substr(0, 5), "code ");
    del("c1", text);
    EXPECT_EQ(runtime.reserved(), "");
    start_anew();
  }
}

TEST_F(cni_host_local_cases, T185_T203_who_is_not_there_is_deleted_and_not_checked) {
  for (const auto &version : kVersions) {
    const auto text = at(version, config(kDual));
    del("nobody", text);
    EXPECT_FALSE(std::filesystem::exists(runtime.store()));
    if (has_check(version)) {
      EXPECT_GE(code_of(call(Command::check, "nobody", text).output), 100U);
    }
  }
}

struct AskedCase {
  const char *name, *keys, *members, *args, *given; ///< "code N" if it is refused
  int line;
};

constexpr const char *kOne =
    R"("subnet":"10.77.0.0/24","rangeStart":"10.77.0.10","rangeEnd":"10.77.0.20")";

const AskedCase kAsked[] = {
    {"CNI_ARGS", kOne, "", "IP=10.77.0.15", "10.77.0.15/24", __LINE__},
    {"CNI_ARGS with a length", kOne, "", "IP=10.77.0.15/24", "10.77.0.15/24", __LINE__},
    {"args.cni", kOne, R"("args":{"cni":{"ips":["10.77.0.16"]}},)", "", "10.77.0.16/24", __LINE__},
    {"runtimeConfig", kOne, R"("runtimeConfig":{"ips":["10.77.0.17/24"]},)", "", "10.77.0.17/24",
     __LINE__},
    {"one of each family, from two places", kDual, R"("runtimeConfig":{"ips":["fd77::9"]},)",
     "IP=10.77.0.9", "10.77.0.9/24 fd77::9/64", __LINE__},
    {"T205 a mapped address is the IPv4 one", kOne, "", "IP=::ffff:10.77.0.15", "10.77.0.15/24",
     __LINE__},
    {"T188 taken", kOne, "", "IP=10.77.0.11", "code 103", __LINE__},
    {"T205 taken, and written as a mapped one", kOne, "", "IP=::ffff:10.77.0.11", "code 103",
     __LINE__},
    {"T188 the gateway", R"("subnet":"10.77.0.0/24")", "", "IP=10.77.0.1", "code 103", __LINE__},
    {"T188 below the start", kOne, "", "IP=10.77.0.9", "code 103", __LINE__},
    {"T188 after the end", kOne, "", "IP=10.77.0.21", "code 103", __LINE__},
    {"T188 two of one set", kOne, R"("runtimeConfig":{"ips":["10.77.0.12","10.77.0.13"]},)", "",
     "code 103", __LINE__},
    {"T188 one that fits and one that does not", kDual, R"("runtimeConfig":{"ips":["fd99::9"]},)",
     "IP=10.77.0.9", "code 103", __LINE__},
    {"no address", kOne, "", "IP=x", "code 7", __LINE__},
};

TEST_F(cni_host_local_cases, T187_T188_T205_addresses_that_are_asked_for) {
  for (const auto &c : kAsked)
    for (const auto &version : kVersions) {
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version);
      EXPECT_EQ(given("other", config(kOne), {{"CNI_ARGS", "IP=10.77.0.11"}}), "10.77.0.11/24");
      EXPECT_EQ(given("c1", at(version, config(c.keys, c.members)), {{"CNI_ARGS", c.args}}),
                c.given);
      del("c1", config(c.keys));
      EXPECT_EQ(runtime.reserved(), "10.77.0.11") << "a refusal gives everything back";
      start_anew();
    }
}

struct OrderCase {
  const char *name, *keys, *last, *given; ///< one pod after the other, until "full"
  int line;
};

const OrderCase kOrders[] = {
    {"a fresh store begins behind the gateway", R"("subnet":"10.77.0.0/29")", "",
     "10.77.0.2 10.77.0.3 10.77.0.4 10.77.0.5 10.77.0.6 full", __LINE__},
    {"after the last one, round, the last itself last", R"("subnet":"10.77.0.0/29")", "10.77.0.4",
     "10.77.0.5 10.77.0.6 10.77.0.2 10.77.0.3 10.77.0.4 full", __LINE__},
    {"a last one that is in no range", R"("subnet":"10.77.0.0/29")", "10.99.0.1",
     "10.77.0.2 10.77.0.3 10.77.0.4 10.77.0.5 10.77.0.6 full", __LINE__},
    {"two addresses", R"("subnet":"10.77.0.0/30")", "", "10.77.0.2 full", __LINE__},
    {"T204 a gateway in the middle", R"("subnet":"10.77.0.0/29","gateway":"10.77.0.3")", "",
     "10.77.0.1 10.77.0.2 10.77.0.4 10.77.0.5 10.77.0.6 full", __LINE__},
    {"T204 a range of one",
     R"("subnet":"10.77.0.0/24","rangeStart":"10.77.0.9","rangeEnd":"10.77.0.9")", "",
     "10.77.0.9 full", __LINE__},
    {"from range to range and back",
     R"("ranges":[[{"subnet":"10.77.0.0/30"},{"subnet":"10.78.0.0/30"}]])", "10.77.0.2",
     "10.78.0.2 10.77.0.2 full", __LINE__},
    {"T190 IPv6 has no broadcast address", R"("subnet":"fd77::/126")", "", "fd77::2 fd77::3 full",
     __LINE__},
    {"T193 halves that do not overlap",
     R"("ranges":[[{"subnet":"10.77.0.0/24","rangeStart":"10.77.0.8","rangeEnd":"10.77.0.9"},{"subnet":"10.77.0.0/24","rangeStart":"10.77.0.20","rangeEnd":"10.77.0.20"}]])",
     "", "10.77.0.8 10.77.0.9 10.77.0.20 full", __LINE__},
};

TEST_F(cni_host_local_cases, T189_T190_T191_T193_T204_addresses_go_round_until_all_are_taken) {
  for (const auto &c : kOrders) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    std::filesystem::create_directories(runtime.store());
    if (*c.last != '\0')
      write_file(runtime.store() + "/last_reserved_ip.0", c.last);
    std::string order;
    for (int pod = 0; pod < 9 && !has(order, "full"); ++pod) {
      const auto run = call(Command::add, "c" + std::to_string(pod), config(c.keys));
      const auto ip = value_at(run.output, "/ips/0/address");
      order += (order.empty() ? "" : " ") + (ip.empty() ? "full" : ip.substr(0, ip.find('/')));
      if (ip.empty()) {
        EXPECT_EQ(code_of(run.output), 11U) << run.output;
        EXPECT_TRUE(has(run.output, "no IP addresses available in range set: ")) << run.output;
        EXPECT_EQ(code_of(call(Command::status, "", config(c.keys)).output), 50U);
      }
    }
    EXPECT_EQ(order, c.given);
    start_anew();
  }
}

struct RefusedCase {
  const char *name, *keys, *mentions;
  int line;
};

const RefusedCase kRefused[] = {
    {"no range", R"("routes":[])", "range", __LINE__},
    {"an empty set", R"("ranges":[[]])", "ranges", __LINE__},
    {"host bits", R"("subnet":"10.77.0.5/24")", "host bits", __LINE__},
    {"too small", R"("subnet":"10.77.0.0/31")", "10.77.0.0/31", __LINE__},
    {"too small a v6", R"("subnet":"fd77::/127")", "fd77::/127", __LINE__},
    {"a start outside", R"("subnet":"10.77.0.0/24","rangeStart":"10.78.0.1")", "rangeStart",
     __LINE__},
    {"an end outside", R"("subnet":"10.77.0.0/24","rangeEnd":"10.78.0.1")", "rangeEnd", __LINE__},
    {"a start of the other family", R"("subnet":"10.77.0.0/24","rangeStart":"fd77::1")",
     "rangeStart", __LINE__},
    {"T192 overlap in a set", R"("ranges":[[{"subnet":"10.77.0.0/24"},{"subnet":"10.77.0.0/25"}]])",
     "overlap", __LINE__},
    {"T192 overlap of two sets",
     R"("ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"10.77.0.128/25"}]])", "overlap",
     __LINE__},
    {"T192 two families in a set",
     R"("ranges":[[{"subnet":"10.77.0.0/24"},{"subnet":"fd77::/64"}]])", "famil", __LINE__},
    {"T193 ranges that touch by one",
     R"("ranges":[[{"subnet":"10.77.0.0/24","rangeEnd":"10.77.0.9"},{"subnet":"10.77.0.0/24","rangeStart":"10.77.0.9"}]])",
     "overlap", __LINE__},
    {"T196 a file that is not there",
     R"("subnet":"10.77.0.0/24","resolvConf":"/nonexistent/resolv")", "/nonexistent/resolv",
     __LINE__},
};

TEST_F(cni_host_local_cases, T192_T193_T196_configurations_that_do_not_fit_reserve_nothing) {
  for (const auto &c : kRefused)
    for (const auto &version : kVersions) {
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version);
      const auto run = call(Command::add, "c1", at(version, config(c.keys)));
      EXPECT_NE(code_of(run.output), 0U) << run.output;
      EXPECT_TRUE(has(run.output, c.mentions)) << run.output;
      EXPECT_EQ(runtime.reserved(), "");
      del("c1", at(version, config(c.keys)));
    }
}

TEST_F(cni_host_local_cases, T194_old_versions_have_one_set_of_a_family) {
  const auto two = config(R"("ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"10.78.0.0/24"}]])");
  for (const auto &version : kVersions) {
    EXPECT_EQ(given("c1", at(version, two)),
              version < "0.3.0" ? "code 7" : "10.77.0.2/24 10.78.0.2/24")
        << version;
    del("c1", two);
    EXPECT_EQ(given("c1", at(version, config(kDual))).find("code"), std::string::npos);
    del("c1", two);
    start_anew();
  }
}

TEST_F(cni_host_local_cases, T195_the_runtimes_ranges_come_first) {
  for (const auto &version : kVersions) {
    if (version < "0.3.0")
      continue;
    const auto text = at(
        version,
        config(
            R"("subnet":"10.78.0.0/24","ranges":[[{"subnet":"10.79.0.0/24"}]])",
            R"("runtimeConfig":{"ipRanges":[[{"Subnet":"10.77.0.0/24","RangeStart":"10.77.0.50"}]]},)"));
    const auto run = call(Command::add, "c1", text);
    EXPECT_EQ(value_at(run.output, "/ips/0/address"), "10.77.0.50/24");
    EXPECT_EQ(value_at(run.output, "/ips/1/address"), "10.78.0.2/24");
    EXPECT_EQ(value_at(run.output, "/ips/2/address"), "10.79.0.2/24");
    del("c1", text);
    start_anew();
  }
}

} // namespace
} // namespace sluice::integration
