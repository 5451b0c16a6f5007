// docs/cni.md, "Changing over", step by step on a node with running pods: from Debian's plugins to
// ours under their names, to the plugin `sluice`, from flannel, and back each time.
#include "cni/portmap/tests/talk.hpp"
#include "integration/cni/list_runtime.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::integration {
namespace {

using cni::seen_by;
using cni::serve;

constexpr const char *kTheirs = "/usr/lib/cni";
const std::vector<std::string> kNames = {"bridge",    "host-local", "portmap", "loopback",
                                         "bandwidth", "tuning",     "ptp"};

SocketAddress at(const std::string &text) { return SocketAddress::parse(text).value(); }

/// A TCP connection that lives through a change.
class Connection {
public:
  Connection(const kernel::NetNs &client, const kernel::NetNs &server, const SocketAddress &listen,
             const SocketAddress &target) {
    const auto listener = serve(server, Protocol::tcp, listen);
    client_ = client
                  .run([&]() -> Result<UniqueFd> {
                    sockaddr_in to{};
                    to.sin_family = AF_INET;
                    to.sin_port = htons(target.port.value);
                    std::copy_n(target.ip.bytes().data(), 4,
                                reinterpret_cast<std::uint8_t *>(&to.sin_addr));
                    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr *>(&to), sizeof to), 0);
                    return fd;
                  })
                  .value();
    server_ = UniqueFd(::accept(listener.get(), nullptr, nullptr));
    const timeval patience = {2, 0};
    ::setsockopt(server_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  bool lives() const {
    char byte = 'x';
    return ::send(client_.get(), &byte, 1, MSG_NOSIGNAL) == 1 &&
           ::recv(server_.get(), &byte, 1, 0) == 1;
  }

private:
  UniqueFd client_, server_;
};

class cni_changeover : public testing::Test {
protected:
  void SetUp() override {
    if (::access(kTheirs, X_OK) != 0)
      GTEST_SKIP() << kTheirs << " is missing (Debian package containernetworking-plugins)";
    shell("mkdir -p " + folder + " && for name in " + names() + "; do cp " + kTheirs + "/$name " +
          folder + "/; done");
    const auto outside = driver.netns_of("outside");
    driver.on_host("ip link set lo up; ip link add up0 type veth peer name eth0 netns " + outside +
                   "; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up");
    driver.in_pod("outside", "ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up");
  }

  static std::string names() {
    std::string all;
    for (const auto &name : kNames)
      all += name + " ";
    return all;
  }
  std::string shell(const std::string &command) { return driver.on_host(command); }
  std::string bin(const std::string &name) const { return SLUICE_BIN_DIR + ("/" + name); }

  // ---- the steps of the documentation ----

  void keep_the_old_plugins() {
    EXPECT_EQ(shell("cp -a " + folder + " " + folder + ".before"), "");
  }
  void install(const std::string &what) {
    const auto said = shell(bin("sluicectl") + " cni install --from " + bin("sluice") + " --to " +
                            folder + " --names " + what);
    EXPECT_EQ(said.find("rror"), std::string::npos) << said;
    EXPECT_NE(shell(folder + "/host-local").find("luice"), std::string::npos)
        << "it is not installed";
  }
  void put_the_old_plugins_back() {
    EXPECT_EQ(shell("cd " + folder +
                    ".before && for name in *; do cp -p $name ../.new && mv ../.new " + folder +
                    "/$name; done"),
              "");
  }
  void clean_up() { shell(bin("sluicectl") + " cni cleanup"); }

  // ---- what holds at every step ----

  static ListRuntime::Member portmap(int host_port) {
    return {"portmap", R"("capabilities":{"portMappings":true},"runtimeConfig":{"portMappings":[)"
                       R"({"hostPort":)" +
                           std::to_string(host_port) +
                           R"(,"containerPort":80,"protocol":"tcp"}]})"};
  }
  std::string ipam(const std::string &type) const {
    return R"("ipam":{"type":")" + type + R"(","dataDir":")" + driver.folder().path() +
           R"(","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]]})";
  }
  void use(const std::string &type, const std::string &ipam_type, int host_port,
           const std::string &members = {}) {
    runtime.use(
        {{type, R"("bridge":"cni0","isDefaultGateway":true,"hairpinMode":true,"ipMasq":true,)" +
                    members + ipam(ipam_type)},
         portmap(host_port)});
  }
  /// By its port of the node from outside, and it goes out with the node's address.
  void expect_connected(const std::string &id, const std::string &ip, int host_port) {
    SCOPED_TRACE(id + " at " + ip);
    const auto &pod = driver.pod(id), &outside = driver.pod("outside");
    {
      const auto server = serve(pod, Protocol::tcp, at(ip + ":80"));
      EXPECT_EQ(
          seen_by(server, outside, Protocol::tcp, at("192.0.2.1:" + std::to_string(host_port))),
          "192.0.2.2");
    }
    const auto elsewhere = serve(outside, Protocol::tcp, at("192.0.2.2:9000"));
    EXPECT_EQ(seen_by(elsewhere, pod, Protocol::tcp, at("192.0.2.2:9000")), "192.0.2.1");
  }
  void expect_each_other(const std::string &from, const std::string &to, const std::string &ip) {
    const auto server = serve(driver.pod(to), Protocol::tcp, at(ip + ":7000"));
    EXPECT_NE(seen_by(server, driver.pod(from), Protocol::tcp, at(ip + ":7000")), "nothing")
        << from << " to " << to;
  }
  std::string rules() {
    return shell(
        "{ iptables-save -t nat; ip6tables-save -t nat; } 2>/dev/null | grep -e CNI-DN- -e "
        "'name: '; nft list tables | grep cni");
  }
  void expect_nothing_of(const std::string &id) {
    EXPECT_EQ(shell("{ iptables-save; ip6tables-save; } 2>/dev/null | grep '\"" + id + "'"), "");
    EXPECT_EQ(shell("grep -ls '^" + id + "' " + driver.store() + "/*"), "");
  }
  void expect_nothing_left() {
    EXPECT_EQ(shell("ip -br link show type veth | grep -v up0"), "");
    EXPECT_EQ(shell("ip -br link show type ifb"), "");
    EXPECT_EQ(driver.reserved(), "");
    EXPECT_EQ(rules(), "");
  }

  cni::Driver driver;
  const std::string folder = driver.folder().path() + "/opt/cni/bin";
  ListRuntime runtime{driver, folder};
};

TEST_F(cni_changeover, under_the_names_of_the_reference_plugins_and_back) {
  use("bridge", "host-local", 8001);
  runtime.add("g1");
  use("bridge", "host-local", 8002);
  runtime.add("g2");
  const Connection through_port(driver.pod("outside"), driver.pod("g2"), at("10.77.0.3:80"),
                                at("192.0.2.1:8002"));
  std::optional<Connection> between(std::in_place, driver.pod("g2"), driver.pod("g1"),
                                    at("10.77.0.2:81"), at("10.77.0.2:81"));

  keep_the_old_plugins();
  install("all");
  use("bridge", "host-local", 8003);
  EXPECT_TRUE(through_port.lives());
  EXPECT_TRUE(between->lives());
  between.reset(); // it would keep the namespace of g1
  expect_connected("g1", "10.77.0.2", 8001);
  runtime.add("s1");
  runtime.check("s1");
  expect_connected("s1", "10.77.0.4", 8003);
  expect_each_other("s1", "g1", "10.77.0.2");
  expect_each_other("g2", "s1", "10.77.0.4");
  runtime.del("g1", true);
  expect_nothing_of("g1");
  EXPECT_TRUE(through_port.lives());
  expect_connected("g2", "10.77.0.3", 8002);
  use("bridge", "host-local", 8004);
  runtime.add("s2");

  put_the_old_plugins_back();
  EXPECT_TRUE(through_port.lives());
  expect_connected("s1", "10.77.0.4", 8003);
  use("bridge", "host-local", 8005);
  runtime.add("g3");
  expect_connected("g3", "10.77.0.6", 8005);
  expect_each_other("g3", "s1", "10.77.0.4");
  for (const auto *id : {"s1", "s2", "g2", "g3"}) {
    runtime.del(id);
    expect_nothing_of(id);
  }
  clean_up();
  expect_nothing_left();
}

TEST_F(cni_changeover, to_the_plugin_sluice_and_back) {
  use("bridge", "host-local", 8001);
  runtime.add("g1");
  use("bridge", "host-local", 8002);
  runtime.add("g2");
  const Connection through_port(driver.pod("outside"), driver.pod("g2"), at("10.77.0.3:80"),
                                at("192.0.2.1:8002"));

  // Beside the reference plugins: none of them is replaced.
  EXPECT_EQ(shell(bin("sluicectl") + " cni install --from " + bin("sluice") + " --to " + folder)
                .find("rror"),
            std::string::npos);
  use("sluice", "sluice-ipam", 8003);
  runtime.add("s1");
  expect_connected("s1", "10.77.0.4", 8003);
  expect_each_other("s1", "g1", "10.77.0.2");
  EXPECT_TRUE(through_port.lives());
  runtime.del("g1", true);
  expect_nothing_of("g1");

  use("bridge", "host-local", 8004);
  expect_connected("s1", "10.77.0.4", 8003);
  runtime.add("g3");
  expect_each_other("g3", "s1", "10.77.0.4");
  for (const auto *id : {"s1", "g2", "g3"}) {
    runtime.del(id);
    expect_nothing_of(id);
  }
  clean_up();
  expect_nothing_left();
}

TEST_F(cni_changeover, the_way_back_is_smooth_where_masquerade_was_left_to_iptables) {
  for (const std::string back_end : {"", R"("ipMasqBackend":"iptables",)"}) {
    SCOPED_TRACE(back_end);
    keep_the_old_plugins();
    install("all");
    use("bridge", "host-local", 8001, back_end);
    runtime.add("s1");
    put_the_old_plugins_back();
    const auto before = runtime.failed_dels();
    runtime.del("s1");
    // iptables 1.8.9 with nf_tables says that a chain is missing in words that Debian's plugin does
    // not know; the second DEL does not ask.
    EXPECT_LE(runtime.failed_dels() - before, back_end.empty() ? 1 : 0);
    clean_up();
    expect_nothing_left();
    shell("rm -r " + folder + ".before");
  }
}

TEST_F(cni_changeover, from_flannel_and_back) {
  const auto env = driver.folder().path() + "/subnet.env", kept = driver.folder().path() + "/kept";
  std::ofstream(env) << "FLANNEL_NETWORK=10.77.0.0/16\nFLANNEL_SUBNET=10.77.0.1/24\n"
                        "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
  std::filesystem::create_directory(kept);
  // What flannel's plugin does with Debian's bridge: the delegate's configuration is kept.
  const std::string delegate =
      R"("cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"cni0","hairpinMode":true,)"
      R"("isGateway":true,"isDefaultGateway":true,"mtu":1450,"ipMasq":false,"ipam":{"type":)"
      R"("host-local","dataDir":")" +
      driver.folder().path() +
      R"(","ranges":[[{"subnet":"10.77.0.0/24"}]],"routes":[{"dst":"10.77.0.0/16"}]})";
  const auto as_flannel = [&](const std::string &id) {
    std::ofstream(kept + "/" + id) << "{" << delegate << "}";
    const auto run = driver.call(cni::Command::add, id, "{" + delegate + "}",
                                 {{"CNI_PATH", folder}}, folder + "/bridge");
    EXPECT_EQ(run.exit_status, 0) << run.output;
  };
  as_flannel("g1");
  as_flannel("g2");

  keep_the_old_plugins();
  install("all");
  runtime.use({{"flannel", R"("subnetFile":")" + env + R"(","dataDir":")" + kept +
                               R"(","ipam":{"dataDir":")" + driver.folder().path() +
                               R"("},"delegate":{"bridge":"cni0","hairpinMode":true,)"
                               R"("isDefaultGateway":true})"},
               portmap(8003)});
  runtime.add("s1");
  EXPECT_NE(driver.in_pod("s1", "ip link show eth0").find("mtu 1450"), std::string::npos);
  expect_each_other("s1", "g1", "10.77.0.2");
  expect_each_other("g2", "s1", "10.77.0.4");
  runtime.del("g1");
  EXPECT_FALSE(std::filesystem::exists(kept + "/g1"));
  expect_nothing_of("g1");

  // Back: flannel's plugin reads what ours kept, and hands it to Debian's bridge.
  put_the_old_plugins_back();
  expect_each_other("g2", "s1", "10.77.0.4");
  for (const auto *id : {"s1", "g2"}) {
    const auto run = driver.call(cni::Command::del, id, file_content(kept + "/" + id),
                                 {{"CNI_PATH", folder}}, folder + "/bridge");
    EXPECT_EQ(run.exit_status, 0) << run.output;
  }
  runtime.use({portmap(8003)});
  runtime.del("s1");
  clean_up();
  expect_nothing_left();
}

} // namespace
} // namespace sluice::integration
