#pragma once
// The fixture of the daemon's tests: the real sluice-proxy in a namespace that plays the node,
// between three pods, against an API.

#include "kernel/spawn.hpp"
#include "proxy/tests/node/api_stub.hpp"
#include "proxy/tests/node/testbed.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

namespace sluice::proxy::test {

/// Looks every 2 ms until the deadline.
bool eventually(const std::function<bool()> &condition,
                std::chrono::seconds deadline = std::chrono::seconds(30));

/// default/web: TCP 80 and UDP 53 on two cluster addresses.
extern const SocketAddress kTcp4, kTcp6, kUdp4, kUdp6;
nlohmann::json service(const std::string &name = "web");

class SluiceProxy : public ::testing::Test {
protected:
  /// Three pods; 2 and 3 serve default/web. The Node is n1. The proxy is not started.
  void SetUp() override;
  void TearDown() override;

  /// The pods that serve, by number.
  void endpoints(const std::vector<unsigned> &pods);
  /// In mode SLUICE_PROXY_MODE, if that is set and `more` says none.
  kernel::SpawnOptions command(std::vector<std::string> more);
  /// Starts it and does not wait.
  void launch_proxy(std::vector<std::string> more = {});
  /// Returns when its rules are in the kernel.
  void start_proxy(std::vector<std::string> more = {});
  bool in_step();

  std::string ask(const SocketAddress &to, Protocol protocol = Protocol::tcp, unsigned from = 1);
  /// Which pods answer, asked often enough that none of a few is missed.
  std::set<std::string> who_answers(const SocketAddress &to, Protocol protocol = Protocol::tcp);
  std::string nft(std::vector<std::string> arguments);

  std::string socket() const { return folder_ + "/proxy.sock"; }
  std::string log_file() const { return folder_ + "/log"; }
  std::string log() const;

  std::unique_ptr<Testbed> bed_;
  std::unique_ptr<ApiStub> api_;
  std::string folder_;
  std::optional<kernel::Child> proxy_;
};

} // namespace sluice::proxy::test
