#include "integration/cni/list_runtime.hpp"

#include <gtest/gtest.h>

namespace sluice::integration {

using cni::Command;

std::string ListRuntime::config(const Member &member, const std::string &previous) const {
  // 1.0.0: what Debian 12's plugins know.
  const auto text =
      R"({"cniVersion":"1.0.0","name":"net","type":")" + member.type + "\"," + member.members + "}";
  return previous.empty() ? text : cni::with_previous(text, previous);
}

cni::PluginRun ListRuntime::call(Command command, const std::string &id, const Member &member,
                                 const std::string &previous) {
  return driver_.call(command, id, config(member, previous), {{"CNI_PATH", folder_}},
                      folder_ + "/" + member.type);
}

std::string ListRuntime::add(const std::string &id) {
  std::string result;
  for (const auto &member : list_) {
    const auto run = call(Command::add, id, member, result);
    EXPECT_EQ(run.exit_status, 0) << member.type << ": " << run.output;
    if (run.exit_status != 0)
      return {};
    result = run.output;
  }
  return results_[id] = result;
}

void ListRuntime::del(const std::string &id, bool netns_gone) {
  if (netns_gone)
    driver_.remove_pod(id);
  for (auto member = list_.rbegin(); member != list_.rend(); ++member) {
    auto run = call(Command::del, id, *member, results_[id]);
    if (run.exit_status != 0) {
      ++failed_dels_;
      run = call(Command::del, id, *member, results_[id]);
    }
    EXPECT_EQ(run.exit_status, 0) << member->type << ": " << run.output;
  }
  results_.erase(id);
}

void ListRuntime::check(const std::string &id) {
  for (const auto &member : list_) {
    const auto run = call(Command::check, id, member, results_[id]);
    EXPECT_EQ(run.exit_status, 0) << member.type << ": " << run.output;
  }
}

} // namespace sluice::integration
