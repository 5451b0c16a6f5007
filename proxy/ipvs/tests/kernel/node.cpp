#include "proxy/ipvs/tests/kernel/node.hpp"

#include "kernel/nft/nft_socket.hpp"
#include "kernel/sysctl.hpp"
#include "proxy/ipvs/tests/world.hpp"

#include <cerrno>
#include <sched.h>
#include <unistd.h>

namespace sluice::proxy::ipvs::test {

using kernel::ipvs::IpvsSocket;
using kernel::nft::NftSocket;

const SocketAddress kWeb = tests::at("172.30.0.10:80"), kDns = tests::at("172.30.0.10:53");

std::unique_ptr<proxy::test::Testbed> Node::bed_;

bool eventually(const std::function<bool()> &condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    ::usleep(20'000);
  }
  return true;
}

namespace {

/// Packets that different CPUs work on may overtake one another: a SYN the RST of the connection
/// before it, which no endpoint would answer as meant. And it is faster in an emulated machine.
void stay_on_one_cpu() {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
}

} // namespace

void Node::SetUp() {
  if (const auto opened = IpvsSocket::open(); !opened)
    GTEST_SKIP() << opened.error().what();
  if (!bed_) {
    stay_on_one_cpu();
    auto bed = proxy::test::Testbed::create(4);
    ASSERT_TRUE(bed) << bed.error().what();
    bed_ = std::move(*bed);
  }
  auto opened = bed_->node().run([] { return IpvsSocket::open(); });
  ASSERT_TRUE(opened) << opened.error().what();
  ipvs_ = std::make_unique<IpvsSocket>(std::move(*opened));
}

void Node::TearDown() {
  if (!dataplane_)
    return;
  const auto removed = bed_->node().run([&] { return dataplane_->remove(); });
  ASSERT_TRUE(removed) << removed.error().what();
}

Table Node::serving(const std::set<unsigned> &pods) const {
  auto table = tests::empty_table(Family::ipv4);
  table.node.localDetector.cidrs = {*Cidr::parse("10.244.0.0/16")};
  table.node.serviceCidrs = {*Cidr::parse("172.30.0.0/16")};
  auto &backends = table.backendSets[BackendSetId(1)];
  for (const auto number : pods)
    backends.push_back({.address = {bed_->pod(number).v4, Port{8080}}, .local = true});
  std::sort(backends.begin(), backends.end());
  table.frontends[{kWeb.ip, kWeb.port, Protocol::tcp}] = tests::cluster_ip(1);
  table.frontends[{kDns.ip, kDns.port, Protocol::udp}] = tests::cluster_ip(1, "dns");
  return table;
}

void Node::start(const Table &table) {
  const auto started = bed_->node().run([&]() -> Result<> {
    SLUICE_ASSIGN(auto nft, NftSocket::open(), "start");
    SLUICE_ASSIGN(auto ipvs, IpvsSocket::open(), "start");
    dataplane_ = make_dataplane(
        Family::ipv4, std::make_unique<NftSocket>(std::move(nft)),
        std::make_unique<IpvsSocket>(std::move(ipvs)),
        make_environment(Family::ipv4, {options_.divertBit, options_.ownCtBit}), clock_, options_);
    return dataplane_->start(table);
  });
  ASSERT_TRUE(started) << started.error().what();
  table_ = table;
}

void Node::start_again() {
  const auto started = bed_->node().run([&] { return dataplane_->start(table_); });
  ASSERT_TRUE(started) << started.error().what();
}

void Node::change_to(const Table &table) {
  const auto applied =
      bed_->node().run([&] { return dataplane_->apply(delta_between(table_, table)); });
  ASSERT_TRUE(applied) << applied.error().what();
  table_ = table;
}

std::string Node::verify() {
  const auto drift = bed_->node().run([&] { return dataplane_->verify(table_); });
  if (!drift)
    return drift.error().what();
  std::string text;
  for (const auto &difference : drift->differences)
    text += difference + "\n";
  return text;
}

std::string Node::name_in(const Result<std::string> &answer) {
  return answer ? answer->substr(0, answer->find(' ')) : answer.error().what();
}

std::string Node::ask(const SocketAddress &to, Protocol protocol) {
  return ask_from(bed_->pod(1).netns, to, protocol);
}

std::string Node::ask_from_node(const SocketAddress &to, Protocol protocol) {
  return ask_from(bed_->node(), to, protocol);
}

/// Whoever waits so long was not heard: the machine may be slow.
std::string Node::ask_from(const kernel::NetNs &where, const SocketAddress &to, Protocol protocol) {
  auto client = TestClient::connect(where, to, protocol, std::chrono::seconds(10));
  return client ? name_in(client->ask()) : client.error().what();
}

std::string Node::destinations(Protocol protocol) {
  std::string text;
  const auto pod_of = [&](const IpAddress &ip) {
    for (unsigned number = 1; number <= 4; ++number)
      if (bed_->pod(number).v4 == ip)
        return "pod" + std::to_string(number);
    return ip.str();
  };
  const auto record = proxy::test::run_inside(
      bed_->node(), {"nft", "list", "map", "ip", options_.table, "servers"});
  EXPECT_TRUE(record) << record.error().what();
  const auto services = ipvs_->read_services();
  EXPECT_TRUE(services) << services.error().what();
  for (const auto &info : *services) {
    const auto *id = std::get_if<kernel::ipvs::MarkId>(&info.service.id);
    if (id == nullptr)
      continue;
    std::array<char, 64> line{};
    std::snprintf(line.data(), line.size(), "0x%08x : 0x%08x", id->mark,
                  static_cast<unsigned>(protocol));
    if (record->find(line.data()) == std::string::npos)
      continue;
    const auto found = ipvs_->read_destinations(info.service.id).value();
    for (const auto &one : found)
      text += (text.empty() ? "" : " ") + pod_of(one.destination.address.ip) + ":" +
              std::to_string(one.destination.weight);
  }
  return text;
}

std::string Node::sysctl(const std::string &name) {
  return bed_->node().run([&] { return kernel::Sysctl().read(name); }).value_or("");
}

void Node::set_sysctl(const std::string &name, const std::string &value) {
  const auto written = bed_->node().run([&] { return kernel::Sysctl().write(name, value); });
  ASSERT_TRUE(written) << written.error().what();
}

} // namespace sluice::proxy::ipvs::test
