#pragma once
// A node with pods on a kernel that has IPVS, and the data plane on it without a daemon.

#include "proxy/ipvs/dataplane.hpp"
#include "proxy/tests/node/testbed.hpp"

#include <gtest/gtest.h>
#include <set>

namespace sluice::proxy::ipvs::test {

using proxy::test::TestClient;

extern const SocketAddress kWeb, kDns; ///< TCP 172.30.0.10:80, UDP 172.30.0.10:53

class Node : public ::testing::Test {
protected:
  /// Four pods: 1 is the client, the others may serve. All tests of the program share them.
  void SetUp() override;
  /// Leaves a clean node.
  void TearDown() override;

  /// `kWeb` and `kDns` with these pods behind them.
  Table serving(const std::set<unsigned> &pods) const;
  /// A program that was just started; with `options`.
  void start(const Table &table);
  /// The same program, which has seen a difference.
  void start_again();
  void change_to(const Table &table);
  /// What verify tells; nothing if all is well.
  std::string verify();
  /// Of a connection from the client, or from the node itself: which pod answers, or what went
  /// wrong.
  std::string ask(const SocketAddress &to, Protocol protocol = Protocol::tcp);
  std::string ask_from_node(const SocketAddress &to, Protocol protocol = Protocol::tcp);
  static std::string ask_from(const kernel::NetNs &where, const SocketAddress &to,
                              Protocol protocol);
  static std::string name_in(const Result<std::string> &answer);
  /// "pod2:1 pod3:0": destinations with their weights, of all virtual services of a protocol, the
  /// lowest mark first.
  std::string destinations(Protocol protocol);
  std::string sysctl(const std::string &name);
  void set_sysctl(const std::string &name, const std::string &value);

  static std::unique_ptr<proxy::test::Testbed> bed_;
  std::unique_ptr<kernel::ipvs::Ipvs> ipvs_;
  std::unique_ptr<Dataplane> dataplane_;
  Options options_;
  FakeClock clock_;
  Table table_; ///< in the kernel
};

/// Returns false after 20 s.
bool eventually(const std::function<bool()> &condition);

} // namespace sluice::proxy::ipvs::test
