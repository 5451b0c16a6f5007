// Cases T300 to T303 and T141: a whole node, over time.
#include "integration/cni/network_list.hpp"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::integration {
namespace {

constexpr const char *kTheirs = "/usr/lib/cni";

int number_from(const char *variable, int otherwise) {
  const char *value = std::getenv(variable);
  return value ? std::atoi(value) : otherwise;
}

/// `work` of each number from 0 to `count`, by so many threads.
void in_parallel(int threads, int count, const std::function<void(int)> &work) {
  std::atomic<int> next = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([&] {
      for (int n = next++; n < count; n = next++)
        work(n);
    });
  for (auto &worker : workers)
    worker.join();
}

bool eventually(const std::function<bool()> &holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline)
    if (holds())
      return true;
  return false;
}

class cni_node_cases : public testing::Test {
protected:
  /// What is left of pods, whoever made them. The bridge itself says by IGMP what it listens to.
  std::string state() {
    return runtime.on_host(
               "ip -br link | cut -d' ' -f1; ip netns list-id; iptables-save -t nat | grep -v "
               "'^[#:]'; nft list ruleset | grep -v '^#'; conntrack -L 2>/dev/null | grep -v 'dst=224.0.0.22 '; true") +
           listing(runtime.store());
  }
  Runtime runtime;
};

/// SLUICE_CHURN_PODS=500 and SLUICE_CHURN_ROUNDS=20 are the long form.
TEST_F(cni_node_cases, T300_pods_that_come_and_go_leave_the_node_as_it_was) {
  const int pods = number_from("SLUICE_CHURN_PODS", 32),
            rounds = number_from("SLUICE_CHURN_ROUNDS", 2);
  const auto config = runtime.config(
      R"("isDefaultGateway":true,"ipMasq":true,"macspoofchk":true,)",
      R"("type":"host-local","ranges":[[{"subnet":"10.77.0.0/16"}],[{"subnet":"fd77::/64"}]])");
  runtime.added("bridge", "first", config);
  runtime.removed("bridge", "first", config);
  runtime.remove_pod("first");
  // The kernel takes a namespace down when it has time; its number is in the list until then.
  ASSERT_TRUE(eventually([&] { return runtime.on_host("ip netns list-id") == ""; }));
  const auto before = state();
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const auto id = [&](int pod) { return "c" + std::to_string(pod); };
    for (int pod = 0; pod < pods; ++pod)
      runtime.pod(id(pod));
    in_parallel(8, pods, [&](int pod) { runtime.added("bridge", id(pod), config); });
    EXPECT_EQ(runtime.on_host("ip -br link show type veth | wc -l"), std::to_string(pods) + "\n");
    in_parallel(8, pods, [&](int pod) { runtime.removed("bridge", id(pod), config); });
    for (int pod = 0; pod < pods; ++pod)
      runtime.remove_pod(id(pod));
    EXPECT_TRUE(eventually([&] { return state() == before; })) << state() << "before:\n" << before;
  }
}

TEST_F(cni_node_cases, T301_after_a_reboot_del_and_gc_free_everything) {
  for (const auto &version : kVersions) {
    SCOPED_TRACE(version);
    const auto config = at(version, runtime.usual());
    for (const auto *id : {"c1", "c2", "c3"})
      runtime.added("sluice", id, config);
    // The kernel has forgotten everything; the disk has not.
    for (const auto *id : {"c1", "c2", "c3"})
      runtime.remove_pod(id);
    runtime.on_host(
        "for l in $(ip -br link show type veth | cut -d@ -f1); do ip link del $l; done; "
        "ip link del cni0; nft flush ruleset");
    const cni::Variables gone = {{"CNI_NETNS", "/run/netns/slc-gone"}};
    runtime.removed("sluice", "c1", config, gone);
    if (has_status(version)) {
      auto list = config;
      list.insert(list.size() - 1, R"(,"cni.dev/valid-attachments":[])");
      EXPECT_EQ(runtime.call(Command::gc, "", list).output, "");
    }
    for (const auto *id : {"c2", "c3"})
      runtime.removed("sluice", id, config, gone);
    runtime.expect_nothing_left();
    EXPECT_TRUE(has(runtime.added("sluice", "c4", config), "10.77.0."));
    runtime.removed("sluice", "c4", config);
  }
}

struct Changeover {
  const char *name, *plugin, *members, *ports; ///< ports: members of portmap; nullptr: none
  int line;
};

const Changeover kChangeovers[] = {
    {"bridge", "bridge", R"("isDefaultGateway":true,)", nullptr, __LINE__},
    {"bridge with ipMasq", "bridge",
     R"("isDefaultGateway":true,"ipMasq":true,"ipMasqBackend":"iptables",)", nullptr, __LINE__},
    {"bridge with macspoofchk", "bridge", R"("isDefaultGateway":true,"macspoofchk":true,)", nullptr,
     __LINE__},
    {"bridge with ports", "bridge", R"("isDefaultGateway":true,)", R"("backend":"iptables")",
     __LINE__},
    {"ptp", "ptp", "", nullptr, __LINE__},
    {"ptp with ipMasq and ports", "ptp", R"("ipMasq":true,"ipMasqBackend":"iptables",)",
     R"("backend":"iptables","snat":true)", __LINE__},
};

TEST_F(cni_node_cases, T302_pods_survive_a_changeover_in_both_directions) {
  if (::access("/usr/lib/cni/bridge", X_OK) != 0)
    GTEST_SKIP() << kTheirs << " is empty (Debian package containernetworking-plugins)";
  const auto ours = runtime.folder().path() + "/bin";
  for (const auto &c : kChangeovers)
    for (const auto *version : {"0.3.1", "0.4.0", "1.0.0"})
      for (const bool upgrade : {true, false}) {
        SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ") " + version +
                     (upgrade ? ", from Debian's to ours" : ", from ours to Debian's"));
        const std::string before = upgrade ? kTheirs : ours, after = upgrade ? ours : kTheirs;
        const auto call = [&](const std::string &folder, Command command, const std::string &plugin,
                              const std::string &config) {
          const auto run =
              runtime.call(command, "c1", config, {{"CNI_PATH", folder}}, folder + "/" + plugin);
          EXPECT_EQ(run.exit_status, 0) << run.output;
          return run.output;
        };
        const auto network = at(
            version,
            runtime.config(
                c.members,
                R"("type":"host-local","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])"));
        const auto ports =
            R"({"cniVersion":")" + std::string(version) + R"(","name":"net","type":"portmap",)" +
            (c.ports ? c.ports : "") +
            R"(,"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}})";
        const auto result = call(before, Command::add, c.plugin, network);
        if (c.ports)
          call(before, Command::add, "portmap", cni::with_previous(ports, result));
        const bool sends = has_check(version);
        if (c.ports)
          call(after, Command::del, "portmap", sends ? cni::with_previous(ports, result) : ports);
        call(after, Command::del, c.plugin, sends ? cni::with_previous(network, result) : network);
        runtime.expect_nothing_left();
        const auto rules = runtime.on_host(
            "{ iptables-save; ip6tables-save; nft list ruleset; } 2>/dev/null | grep -e c1 -e 8080 -e 10.77.0.2");
        EXPECT_EQ(rules, "");
      }
}

TEST_F(cni_node_cases, T303_the_program_is_replaced_while_it_is_in_use) {
  const auto folder = runtime.folder().path() + "/opt";
  std::filesystem::create_directory(folder);
  // By another process: a descriptor that is open for writing must not be inherited by the pods'.
  const auto stop = folder + "/stop";
  const auto install = "cp " + Runtime::sluice() + " " + folder + "/.new && mv " + folder +
                       "/.new " + folder + "/sluice";
  runtime.on_host(install);
  std::string installed;
  std::thread installer([&] {
    installed = runtime.on_host("n=0; while [ ! -e " + stop + " ]; do " + install +
                                "; n=$((n+1)); done; [ $n -gt 1 ] && echo often");
  });
  constexpr int kPods = 32;
  for (int pod = 0; pod < kPods; ++pod)
    runtime.pod("c" + std::to_string(pod));
  in_parallel(kPods, kPods * 4, [&](int number) {
    const auto id = "c" + std::to_string(number % kPods);
    const auto command = number / kPods % 2 == 0 ? Command::add : Command::del;
    const auto run = runtime.call(command, id, runtime.usual(), {}, folder + "/sluice");
    EXPECT_EQ(has(run.output, "Text file busy"), false) << run.output;
    EXPECT_NE(run.exit_status, -1) << run.output;
  });
  write_file(stop, "");
  installer.join();
  EXPECT_EQ(installed, "often\n");
  for (int pod = 0; pod < kPods; ++pod)
    runtime.removed("sluice", "c" + std::to_string(pod), runtime.usual());
  runtime.expect_nothing_left();
}

TEST_F(cni_node_cases, T141_who_remembers_the_last_pod_of_an_address_reaches_the_next_one) {
  for (const std::string plugin : {"bridge", "ptp"}) {
    SCOPED_TRACE(plugin);
    const auto config =
        runtime.config(plugin == "bridge" ? R"("isDefaultGateway":true,)" : "",
                       R"("type":"host-local","subnet":"10.77.0.0/29","rangeStart":"10.77.0.5")");
    const std::string old = "old" + plugin, other = "other" + plugin, next = "next" + plugin;
    runtime.added(plugin, old, config, {{"CNI_ARGS", "IP=10.77.0.5"}});
    runtime.added(plugin, other, config, {{"CNI_ARGS", "IP=10.77.0.6"}});
    EXPECT_TRUE(has(runtime.in_pod(other, "ping -c1 -W2 10.77.0.5"), " 0% packet"));
    runtime.removed(plugin, old, config);
    runtime.added(plugin, next, config, {{"CNI_ARGS", "IP=10.77.0.5"}});
    EXPECT_TRUE(has(runtime.in_pod(other, "ping -c1 -W1 10.77.0.5"), " 0% packet"));
    EXPECT_TRUE(has(runtime.on_host("ping -c1 -W1 10.77.0.5"), " 0% packet"));
    runtime.removed(plugin, next, config);
    runtime.removed(plugin, other, config);
  }
}

} // namespace
} // namespace sluice::integration
