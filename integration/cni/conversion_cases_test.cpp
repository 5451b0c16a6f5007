// Cases T040 to T048: results of every version, through a plugin that hands the previous result on
// (portmap without mappings).
#include "integration/cni/cases.hpp"

#include <gtest/gtest.h>

namespace sluice::integration {
namespace {

constexpr const char *kWhole =
    R"({"cniVersion":"1.1.0","interfaces":[{"name":"cni0","mac":"02:00:00:00:00:01"},)"
    R"({"name":"eth0","mac":"02:00:00:00:00:02","mtu":1400,"sandbox":"/n","socketPath":"/s",)"
    R"("pciID":"0000:00:1f.6"}],"ips":[{"interface":1,"address":"10.77.0.5/24","gateway":"10.77.0.1"},)"
    R"({"interface":0,"address":"10.77.0.6/24"},{"address":"fd77::5/64"}],"routes":[{"dst":)"
    R"("0.0.0.0/0","gw":"10.77.0.1","mtu":1400,"advmss":1300,"priority":5,"table":100,"scope":253},)"
    R"({"dst":"fd00::/8"}],"dns":{"nameservers":["192.0.2.1"],"domain":"a.test","search":["b.test"],)"
    R"("options":["ndots:5"]}})";

class cni_conversion_cases : public testing::Test {
protected:
  static std::string config(const std::string &version) {
    return R"({"cniVersion":")" + version + R"(","name":"net","type":"portmap"})";
  }
  PluginRun handed_on(const std::string &version, const std::string &previous) {
    return runtime.named("portmap", Command::add, "c1",
                         cni::with_previous(config(version), previous));
  }
  Runtime runtime;
};

TEST_F(cni_conversion_cases, T040_T044_T048_the_latest_form_keeps_everything) {
  const auto run = handed_on("1.1.0", kWhole);
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_TRUE(same_json(run.output, kWhole)) << run.output;
  // What is not set is not printed, an index of zero is.
  const auto bare =
      R"({"cniVersion":"1.1.0","interfaces":[{"name":"eth0"}],"ips":[{"interface":0,"address":"10.77.0.5/24"},{"address":"fd77::5/64"}],"routes":[{"dst":"0.0.0.0/0"}]})";
  EXPECT_TRUE(same_json(handed_on("1.1.0", bare).output, bare));
}

TEST_F(cni_conversion_cases, T041_older_forms_have_a_family_and_no_extras) {
  for (const std::string version : {"0.3.0", "0.3.1", "0.4.0"}) {
    const auto text = handed_on(version, kWhole).output;
    EXPECT_EQ(value_at(text, "/cniVersion"), version);
    EXPECT_EQ(value_at(text, "/ips/0/version") + value_at(text, "/ips/2/version"), "46");
    EXPECT_EQ(value_at(text, "/interfaces/1"),
              R"({"mac":"02:00:00:00:00:02","name":"eth0","sandbox":"/n"})");
    EXPECT_EQ(value_at(text, "/routes/0"), R"({"dst":"0.0.0.0/0","gw":"10.77.0.1"})");
    const auto plain =
        handed_on(version, R"({"cniVersion":"1.1.0","ips":[{"address":"10.0.0.1/8"}]})");
    EXPECT_EQ(value_at(plain.output, "/dns"), "{}") << plain.output;
  }
}

TEST_F(cni_conversion_cases, T042_the_oldest_forms_have_one_address_of_each_family) {
  for (const std::string version : {"0.1.0", "0.2.0"}) {
    const auto text = handed_on(version, kWhole).output;
    EXPECT_EQ(
        value_at(text, "/ip4"),
        R"({"gateway":"10.77.0.1","ip":"10.77.0.5/24","routes":[{"dst":"0.0.0.0/0","gw":"10.77.0.1"}]})");
    EXPECT_EQ(value_at(text, "/ip6"), R"({"ip":"fd77::5/64","routes":[{"dst":"fd00::/8"}]})");
    const auto one = handed_on(version, R"({"cniVersion":"1.1.0","ips":[{"address":"10.0.0.1/8"}],)"
                                        R"("routes":[{"dst":"fd00::/8"}]})");
    EXPECT_FALSE(has(one.output, "fd00")) << one.output;
    const auto none =
        handed_on(version, R"({"cniVersion":"1.1.0","interfaces":[{"name":"eth0"}]})");
    EXPECT_EQ(code_of(none.output), 1U) << none.output;
  }
}

TEST_F(cni_conversion_cases, T043_every_form_round_trips_and_reads_in_every_version) {
  for (const auto &from : kVersions) {
    const auto old = handed_on(from, kWhole).output;
    EXPECT_TRUE(same_json(handed_on(from, old).output, old)) << from << ": " << old;
    for (const auto &to : kVersions) {
      const auto run = handed_on(to, old);
      EXPECT_EQ(run.exit_status, 0) << from << " to " << to << ": " << run.output;
      EXPECT_EQ(value_at(run.output, "/cniVersion"), to);
      EXPECT_TRUE(has(run.output, "10.77.0.5/24") && has(run.output, "fd77::5/64")) << run.output;
    }
  }
}

struct BrokenCase {
  const char *name, *previous;
  int line;
};

const BrokenCase kBroken[] = {
    {"an address without length", R"({"cniVersion":"1.0.0","ips":[{"address":"10.0.0.1"}]})",
     __LINE__},
    {"a length too long",
     R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.0.0.1/33"}]})", __LINE__},
    {"a gateway that is none",
     R"({"cniVersion":"1.1.0","ips":[{"address":"10.0.0.1/8","gateway":"x"}]})", __LINE__},
    {"a route to nowhere", R"({"cniVersion":"1.0.0","routes":[{"dst":"a/8"}]})", __LINE__},
    {"an old address", R"({"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.300/8"}})", __LINE__},
    {"no object", R"([1])", __LINE__},
};

TEST_F(cni_conversion_cases, T046_a_broken_result_fails_add_and_not_del) {
  for (const auto &c : kBroken)
    for (const auto &version : kVersions) {
      SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version);
      const auto run = handed_on(version, c.previous);
      EXPECT_EQ(code_of(run.output), 6U) << run.output;
      for (const auto *name : {"portmap", "sluice", "bridge", "ptp"})
        runtime.removed(name, "c1", cni::with_previous(config(version), c.previous));
    }
}

} // namespace
} // namespace sluice::integration
