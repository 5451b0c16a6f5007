#include "integration/cluster/cluster_under_test.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sluice::integration {
namespace {

std::string bin(const std::string &program) { return std::string(SLUICE_BIN_DIR) + "/" + program; }

} // namespace

ClusterUnderTest::ClusterUnderTest(std::string name, unsigned nodes)
    : name_(std::move(name)), nodes_(nodes) {
  std::string folder = "/tmp/slc-test-home-XXXXXX";
  home_ = ::mkdtemp(folder.data());
  kubeconfig_ = home_ + "/kubeconfig";
}

ClusterUnderTest::~ClusterUnderTest() {
  sluicectl("cluster delete " + name_);
  std::error_code ignored;
  std::filesystem::remove_all(home_, ignored);
}

std::string ClusterUnderTest::create() {
  const auto made = sluicectl("cluster create " + name_ + " --nodes " + std::to_string(nodes_),
                              std::chrono::seconds(90));
  if (!made.ok())
    return made.text;
  const auto config = sluicectl("cluster kubeconfig " + name_);
  std::ofstream(kubeconfig_) << config.text;
  return config.ok() ? "" : config.text;
}

std::string ClusterUnderTest::remove() {
  const auto removed = sluicectl("cluster delete " + name_);
  return removed.ok() ? "" : removed.text;
}

Output ClusterUnderTest::sluicectl(const std::string &arguments,
                                   std::chrono::seconds deadline) const {
  return shell(bin("sluicectl") + " " + arguments, deadline);
}

Output ClusterUnderTest::kubectl(const std::string &arguments,
                                 const std::string &stdin_text) const {
  const auto input = stdin_text.empty() ? "" : "printf %s " + quoted(stdin_text) + " | ";
  return shell(input + "HOME=" + home_ + " KUBECONFIG=" + kubeconfig_ + " " +
               quoted(kubectl_program()) + " " + arguments);
}

std::string ClusterUnderTest::entering(const std::string &target,
                                       const std::string &command) const {
  return "exec " + bin("sluicectl") + " cluster exec " + name_ + " " + target + " -- sh -c " +
         quoted(command);
}

Output ClusterUnderTest::in(const std::string &target, const std::string &command,
                            std::chrono::seconds deadline) const {
  return shell(entering(target, command), deadline);
}

} // namespace sluice::integration
