// Every scheduler that the kernel has carries packets, as it says it does, also while an endpoint
// drains and while another scheduler takes over.

#include "proxy/ipvs/tests/kernel/node.hpp"

namespace sluice::proxy::ipvs::test {
namespace {

using namespace std::chrono_literals;

enum class Spread : std::uint8_t {
  even,    ///< as many to each
  several, ///< not all to one
  one,     ///< all to one
  any,
};

struct Scheduler {
  const char *name;
  Spread tcp, udp; ///< of connections from one client that stay open
};

/// With equal weights. UDP has no active connections, which is what sed, nq and lblc count.
const Scheduler kSchedulers[] = {
    {"rr", Spread::even, Spread::even},       {"wrr", Spread::even, Spread::even},
    {"lc", Spread::even, Spread::even},       {"wlc", Spread::even, Spread::even},
    {"lblc", Spread::any, Spread::one},       {"lblcr", Spread::any, Spread::any},
    {"dh", Spread::one, Spread::one},         {"sh", Spread::one, Spread::one},
    {"sed", Spread::even, Spread::any},       {"nq", Spread::even, Spread::any},
    {"fo", Spread::one, Spread::one},         {"ovf", Spread::one, Spread::one},
    {"mh", Spread::several, Spread::several}, {"twos", Spread::any, Spread::any},
};

struct Held {
  TestClient client;
  std::string name;
};

class Schedulers : public Node {
protected:
  /// False, if the kernel does not have it.
  bool has(const std::string &scheduler) {
    Options options;
    options.scheduler = scheduler;
    const auto there = try_scheduler(*ipvs_, Family::ipv4, options);
    EXPECT_TRUE(there || there.error().code() == Errc::unsupported) << there.error().what();
    return there.has_value();
  }
  std::vector<Held> hold(const SocketAddress &to, Protocol protocol, unsigned count) {
    std::vector<Held> held;
    for (unsigned i = 0; i < count; ++i) {
      auto client = TestClient::connect(bed_->pod(1).netns, to, protocol, 10s);
      EXPECT_TRUE(client) << to.str() << ": " << client.error().what();
      if (!client)
        break;
      const auto name = name_in(client->ask());
      EXPECT_EQ(name.substr(0, 3), "pod") << to.str();
      held.push_back({std::move(*client), name});
    }
    return held;
  }
  static void expect(Spread spread, const std::vector<Held> &held, std::size_t endpoints) {
    std::map<std::string, std::size_t> counts;
    std::string text;
    for (const auto &one : held)
      ++counts[one.name];
    for (const auto &[name, count] : counts)
      text += name + " " + std::to_string(count) + " ";
    if (spread == Spread::one) {
      EXPECT_EQ(counts.size(), 1U) << text;
    } else if (spread == Spread::several) {
      EXPECT_GT(counts.size(), 1U) << text;
    } else if (spread == Spread::even) {
      for (const auto &[name, count] : counts)
        EXPECT_EQ(count, held.size() / endpoints) << text;
    }
  }
  static void expect_go_on(std::vector<Held> &held) {
    for (auto &one : held)
      EXPECT_EQ(name_in(one.client.ask()), one.name);
  }
};

TEST_F(Schedulers, each_answers_every_connection_and_spreads_them_as_it_says) {
  const auto all = serving({2, 3, 4});
  unsigned tried = 0;
  for (const auto &scheduler : kSchedulers) {
    SCOPED_TRACE(scheduler.name);
    if (!has(scheduler.name)) {
      std::printf("this kernel has no scheduler %s\n", scheduler.name);
      continue;
    }
    ++tried;
    options_.scheduler = scheduler.name;
    start(all);
    const auto count = scheduler.tcp == Spread::several ? 15U : 6U;
    auto tcp = hold(kWeb, Protocol::tcp, count), udp = hold(kDns, Protocol::udp, count);
    ASSERT_EQ(tcp.size() + udp.size(), 2 * count);
    expect(scheduler.tcp, tcp, 3);
    expect(scheduler.udp, udp, 3);
    // An endpoint drains: its connections go on, and it gets no new one.
    const auto leaves = static_cast<unsigned>(tcp.front().name.back() - '0');
    auto stay = std::set<unsigned>{2, 3, 4};
    stay.erase(leaves);
    change_to(serving(stay));
    expect_go_on(tcp);
    for (int i = 0; i < 4; ++i)
      for (const auto &name : {ask(kWeb), ask_from_node(kWeb), ask(kDns, Protocol::udp)})
        EXPECT_TRUE(name.substr(0, 3) == "pod" && name.back() != tcp.front().name.back()) << name;
    change_to(all);
    expect_go_on(tcp);
    EXPECT_EQ(verify(), "");
  }
  EXPECT_GE(tried, 13U) << "the modules of linux-image-amd64";
}

TEST_F(Schedulers, another_one_after_a_restart_loses_no_connection) {
  start(serving({2, 3, 4}));
  auto tcp = hold(kWeb, Protocol::tcp, 6), udp = hold(kDns, Protocol::udp, 6);
  std::atomic<bool> stop{false};
  std::atomic<unsigned> good{0};
  std::string bad;
  std::thread load([&] {
    for (unsigned i = 0; !stop; ++i) {
      const auto name = i % 2 == 0 ? ask(kWeb) : ask(kDns, Protocol::udp);
      if (name.substr(0, 3) == "pod")
        ++good;
      else
        bad += (i % 2 == 0 ? "TCP: " : "UDP: ") + name;
    }
  });
  for (const auto &scheduler : kSchedulers) {
    if (!has(scheduler.name))
      continue;
    SCOPED_TRACE(scheduler.name);
    options_.scheduler = scheduler.name;
    start(serving({2, 3, 4}));
    const auto before = good.load();
    EXPECT_TRUE(eventually([&] { return good >= before + 4 || !bad.empty(); }));
    expect_go_on(tcp);
    for (auto &one : udp) // a flow that lived through two changes may get another endpoint
      EXPECT_EQ(name_in(one.client.ask()).substr(0, 3), "pod");
    EXPECT_EQ(verify(), "");
  }
  stop = true;
  load.join();
  EXPECT_EQ(bad, "") << "after " << good << " good ones";
}

TEST_F(Schedulers, one_that_the_kernel_does_not_have_is_told_with_what_to_do) {
  Options options;
  options.scheduler = "best";
  const auto there = try_scheduler(*ipvs_, Family::ipv4, options);
  ASSERT_FALSE(there);
  EXPECT_EQ(there.error().code(), Errc::unsupported);
  for (const auto *says : {"no IPVS scheduler \"best\"", "modprobe ip_vs_best", "rr, wrr, lc"})
    EXPECT_NE(there.error().what().find(says), std::string::npos) << there.error().what();
  EXPECT_TRUE(ipvs_->read_services()->empty());
}

} // namespace
} // namespace sluice::proxy::ipvs::test
