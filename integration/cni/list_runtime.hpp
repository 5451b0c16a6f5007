#pragma once
// What a container runtime does with a list of plugins (CNI SPEC 1.1 §3, libcni), as far as
// changing over needs it: results are handed on, kept, and given to DEL, which goes backwards.

#include "cni/tests/driver.hpp"

#include <map>
#include <string>
#include <vector>

namespace sluice::integration {

class ListRuntime {
public:
  /// `folder`: where the plugins are, as CNI_PATH.
  ListRuntime(cni::Driver &driver, std::string folder)
      : driver_(driver), folder_(std::move(folder)) {}

  /// The members of each plugin's configuration but for cniVersion and name; the first is the type.
  struct Member {
    std::string type, members;
  };
  /// From now on, as when the file in /etc/cni/net.d changes.
  void use(std::vector<Member> list) { list_ = std::move(list); }

  /// Every plugin's ADD. The result, empty if one failed (and the test with it).
  std::string add(const std::string &id);
  /// Every plugin's DEL, with the kept result; once more if it fails. `netns_gone`: as after a
  /// restart of the node.
  void del(const std::string &id, bool netns_gone = false);
  void check(const std::string &id);
  int failed_dels() const noexcept { return failed_dels_; }

private:
  std::string config(const Member &member, const std::string &previous) const;
  cni::PluginRun call(cni::Command command, const std::string &id, const Member &member,
                      const std::string &previous);

  cni::Driver &driver_;
  std::string folder_;
  std::vector<Member> list_;
  std::map<std::string, std::string> results_;
  int failed_dels_ = 0;
};

} // namespace sluice::integration
