// Death at any point: a runtime that kills its plugins at a deadline, at every system call, and in
// parallel. docs/hacking.md has the long form.
#include "cni/protocol/result.hpp"
#include "cni/tests/driver.hpp"
#include "integration/cni/killed_run.hpp"
#include "kernel/rtnl.hpp"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <random>

namespace sluice::integration {
namespace {

using cni::Command;
using std::chrono::microseconds;

constexpr int kPods = 8;
constexpr microseconds kNever(-1);

unsigned number_from(const char *variable, unsigned otherwise) {
  const char *value = std::getenv(variable);
  return value ? static_cast<unsigned>(std::strtoul(value, nullptr, 10)) : otherwise;
}

/// A node, its network in one of the two modes with port mappings behind it, and one pod namespace
/// for each of the containers that live at the same time.
class Node {
public:
  explicit Node(const std::string &mode) : mode_(mode) {
    watch(driver.host(), "on the host");
    for (int i = 0; i < kPods; ++i)
      watch(driver.pod("p" + std::to_string(i)), "in pod " + std::to_string(i));
  }

  PluginCall network(Command command, int pod, const std::string &id,
                     const std::string &more = "") {
    auto config = driver.config(
        R"("mode":")" + mode_ + R"(","isDefaultGateway":true,"hairpinMode":true,"ipMasq":true,)" +
            (mode_ == "bridge" ? R"("macspoofchk":true,)" : ""),
        R"("type":"sluice-ipam","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])");
    return {std::string(SLUICE_BIN_DIR) + "/sluice", variables(command, pod, id),
            with(config, more)};
  }
  PluginCall ports(Command command, int pod, const std::string &id, const std::string &more = "") {
    const auto config =
        R"({"cniVersion":"1.1.0","name":"net","type":"portmap","backend":"nftables","runtimeConfig":)"
        R"({"portMappings":[{"hostPort":)" +
        std::to_string(8000 + pod) + R"(,"containerPort":80,"protocol":"tcp"}]}})";
    return {driver.program("portmap"), variables(command, pod, id), with(config, more)};
  }

  /// Everything that a pod had, without the bridge and the network's own rules. Empty if all is
  /// gone.
  std::string left_over() {
    std::string text;
    for (auto &[where, rtnl] : watched_) {
      const auto links = rtnl.read_links();
      for (const auto &link : links.value())
        if (link.name != "lo" && link.name != "cni0")
          text += where + ": " + link.name + " " + link.alias + "\n";
    }
    std::error_code missing;
    for (const auto &entry : std::filesystem::directory_iterator(driver.store(), missing)) {
      const auto name = entry.path().filename().string();
      if (name != "lock" && name != ".sluice-index" && !name.starts_with("last_reserved_ip."))
        text += "in the store: " + name + " of " + file_content(entry.path()) + "\n";
    }
    return text;
  }
  /// Rules that name a container or a pod's address.
  std::string rules_left_over() const {
    return driver.on_host("nft list ruleset | grep -e k[0-9] -e 10.77.0.[1-9] -e fd77::[1-9]");
  }

  cni::Driver driver;

private:
  static std::string with(const std::string &config, const std::string &more) {
    return config.substr(0, config.rfind('}')) + more + "}";
  }
  cni::Variables variables(Command command, int pod, const std::string &id) {
    auto all = driver.variables_of(command, "p" + std::to_string(pod));
    all["CNI_CONTAINERID"] = id;
    return all;
  }
  void watch(const kernel::NetNs &ns, const std::string &where) {
    auto rtnl = ns.run([] { return kernel::RtnlSocket::open(); });
    watched_.emplace_back(where, std::move(rtnl.value()));
  }

  std::vector<std::pair<std::string, kernel::RtnlSocket>> watched_;
  std::string mode_;
};

/// What the store says, beside what ADD answered: nobody has an address of somebody else.
void expect_every_address_once(Node &node, const std::map<std::string, std::string> &answers) {
  std::map<std::string, std::string> holder;
  std::map<std::string, int> held;
  std::error_code missing;
  for (const auto &entry : std::filesystem::directory_iterator(node.driver.store(), missing)) {
    const auto ip = entry.path().filename().string();
    if (!IpAddress::parse(ip))
      continue;
    const auto content = file_content(entry.path());
    holder[ip] = content.substr(0, content.find('\r'));
    if (!holder[ip].empty()) { // an interrupted record belongs to nobody
      EXPECT_LE(++held[holder[ip]], 2) << content << " holds more than one address a family";
    }
  }
  std::set<std::string> seen;
  for (const auto &[id, answer] : answers) {
    const auto result = cni::parse_result(answer, cni::kLatestVersion);
    ASSERT_TRUE(result) << answer;
    for (const auto &ip : result->ips) {
      EXPECT_TRUE(seen.insert(ip.address.ip.str()).second)
          << ip.address.str() << " was given twice";
      EXPECT_EQ(holder[ip.address.ip.str()], id);
    }
  }
}

/// Eight pods that come and go at once, each call with its own chance to be killed.
class Round {
public:
  Round(Node &node, unsigned number, unsigned seed, microseconds &longest)
      : node_(node), number_(number), random_(seed + number), longest_(longest) {}
  int killed() const noexcept { return killed_; }

  void play() {
    SCOPED_TRACE("round " + std::to_string(number_));
    add_all();
    expect_every_address_once(node_, answers_);
    delete_all();
    expect_every_address_once(node_, {});
    clean_up();
  }

private:
  std::string id(int pod) const {
    return "k" + std::to_string(number_) + "-" + std::to_string(pod);
  }

  static bool has_ports(int pod) { return pod % 2 == 1; }

  /// Half of the calls live.
  microseconds some_delay() {
    std::uniform_int_distribution<long> any(0, 2 * longest_.count());
    return microseconds(any(random_));
  }

  /// `call` of every pod at once.
  template <class Call> void at_once(Call call) {
    std::vector<microseconds> network, ports;
    for (int pod = 0; pod < kPods; ++pod) {
      network.push_back(some_delay());
      ports.push_back(some_delay());
    }
    std::vector<std::thread> threads;
    for (std::size_t pod = 0; pod < kPods; ++pod)
      threads.emplace_back([&, pod] {
        const auto done = node_.driver.host().run([&]() -> Result<> {
          call(static_cast<int>(pod), network[pod], ports[pod]);
          return {};
        });
        EXPECT_TRUE(done);
      });
    for (auto &thread : threads)
      thread.join();
  }

  /// One that lives must succeed.
  KilledRun run(const PluginCall &call, microseconds delay) {
    auto done = run_and_kill_after(call, delay);
    EXPECT_TRUE(done.killed || done.exit_status == 0) << done.output;
    killed_ += done.killed ? 1 : 0;
    return done;
  }

  void add_all() {
    microseconds longest{};
    at_once([&](int pod, microseconds network, microseconds ports) {
      const auto added = run(node_.network(Command::add, pod, id(pod)), network);
      if (added.killed || added.exit_status != 0)
        return;
      {
        const std::lock_guard lock(mutex_);
        answers_[id(pod)] = added.output;
        longest = std::max(longest, added.took);
      }
      if (has_ports(pod))
        run(node_.ports(Command::add, pod, id(pod), ",\"prevResult\":" + added.output), ports);
    });
    if (longest.count() > 0)
      longest_ = longest;
  }

  void delete_all() {
    at_once([&](int pod, microseconds network, microseconds ports) {
      if (has_ports(pod))
        run(node_.ports(Command::del, pod, id(pod)), ports);
      run(node_.network(Command::del, pod, id(pod)), network);
    });
  }

  /// By DEL alone, by GC alone, or by GC of half of the pods and DEL of the others.
  void clean_up() {
    const auto way = std::uniform_int_distribution(0, 2)(random_);
    SCOPED_TRACE(way == 0 ? "cleaned by DEL" : way == 1 ? "cleaned by GC" : "cleaned by both");
    if (way > 0)
      collect_garbage(way == 1 ? 0 : kPods / 2);
    if (way != 1)
      at_once([&](int pod, microseconds, microseconds) {
        if (has_ports(pod))
          run(node_.ports(Command::del, pod, id(pod)), kNever);
        run(node_.network(Command::del, pod, id(pod)), kNever);
      });
    ASSERT_EQ(node_.left_over(), "");
    if (number_ % 10 == 0) {
      ASSERT_EQ(node_.rules_left_over(), "");
    }
  }

  void collect_garbage(int keep) {
    std::string valid;
    for (int pod = 0; pod < keep; ++pod)
      valid += std::string(pod == 0 ? "" : ",") + R"({"containerID":")" + id(pod) +
               R"(","ifname":"eth0"})";
    valid = R"(,"cni.dev/valid-attachments":[)" + valid + "]";
    const auto done = node_.driver.host().run([&]() -> Result<> {
      run(node_.ports(Command::gc, 0, id(0), valid), kNever);
      run(node_.network(Command::gc, 0, id(0), valid), kNever);
      return {};
    });
    EXPECT_TRUE(done);
  }

  Node &node_;
  unsigned number_;
  std::mt19937 random_;
  microseconds &longest_; ///< of the last round's ADDs: under load they take longer
  std::mutex mutex_;
  std::map<std::string, std::string> answers_;
  std::atomic<int> killed_ = 0;
};

void play_rounds(const std::string &mode, unsigned rounds, unsigned seed) {
  Node node(mode);
  microseconds longest(5000);
  int killed = 0;
  for (unsigned number = 0; number < rounds && !testing::Test::HasFailure(); ++number) {
    Round round(node, number, seed, longest);
    round.play();
    killed += round.killed();
  }
  std::printf("mode %s: %d calls killed\n", mode.c_str(), killed);
  EXPECT_GT(killed, 0);
  EXPECT_EQ(node.rules_left_over(), "");
}

/// SLUICE_CRASH_ROUNDS=1000 is the long form, SLUICE_CRASH_SEED repeats what a failure printed.
TEST(cni_crash, eight_at_once_killed_anywhere_leave_nothing) {
  const auto rounds = number_from("SLUICE_CRASH_ROUNDS", 100);
  const auto seed = number_from("SLUICE_CRASH_SEED", std::random_device{}());
  std::printf("%u rounds, SLUICE_CRASH_SEED=%u\n", rounds, seed);
  for (const auto *mode : {"bridge", "routed"}) {
    SCOPED_TRACE(std::string("mode ") + mode + ", SLUICE_CRASH_SEED=" + std::to_string(seed));
    play_rounds(mode, rounds / 2, seed);
  }
}

/// Kills `command` before each of its system calls in turn, and lets `repair` follow.
class EveryCall {
public:
  explicit EveryCall(const char *mode) : node_(mode), mode_(mode) {}

  void kill(Command command, Command repair) {
    SCOPED_TRACE(std::string(mode_) + ": " + std::string(name_of(command)) + " killed, then " +
                 std::string(name_of(repair)));
    const auto done = node_.driver.host().run([&]() -> Result<> {
      // GC shares its removal with DEL; the short form takes a part of its cases.
      const int step = repair == Command::gc && !std::getenv("SLUICE_CRASH_ROUNDS") ? 4 : 1;
      for (int number = 1; kill_at(number, command, repair); number += step)
        if (testing::Test::HasFailure())
          break;
      return {};
    });
    EXPECT_TRUE(done);
    EXPECT_EQ(node_.rules_left_over(), "");
  }

private:
  /// False if it ended before its death.
  bool kill_at(int number, Command command, Command repair) {
    const auto id = "k" + std::to_string(++last_id_);
    if (command == Command::del) {
      EXPECT_EQ(run_and_kill_after(node_.network(Command::add, 0, id), kNever).exit_status, 0);
    }
    const auto killed = run_and_kill_at_call(node_.network(command, 0, id), number);
    const auto valid = repair == Command::gc ? R"(,"cni.dev/valid-attachments":[])" : "";
    const auto repaired = run_and_kill_after(node_.network(repair, 0, id, valid), kNever);
    EXPECT_EQ(repaired.exit_status, 0) << "at call " << number << ": " << repaired.output;
    EXPECT_EQ(node_.left_over(), "") << "at call " << number;
    return killed.killed;
  }

  Node node_;
  const char *mode_;
  int last_id_ = 0;
};

class cni_crash_at : public testing::TestWithParam<const char *> {};

TEST_P(cni_crash_at, every_system_call_of_add_or_del_is_repaired_by_del_or_gc) {
  EveryCall calls(GetParam());
  for (const auto command : {Command::add, Command::del})
    for (const auto repair : {Command::del, Command::gc})
      calls.kill(command, repair);
}

INSTANTIATE_TEST_SUITE_P(mode, cni_crash_at, testing::Values("bridge", "routed"),
                         [](const auto &mode) { return std::string(mode.param); });

} // namespace
} // namespace sluice::integration
