#pragma once
// Which pods to begin, to change and to end: the API's pods of this node beside what runs here.
// Pure.

#include "podlet/pod_state.hpp"

#include <map>

namespace sluice::podlet {

/// By uid: a pod that was deleted and made again under its name is another one.
using Pods = std::map<std::string, kube::Pod>;

enum class Step : std::uint8_t {
  begin,   ///< nothing of it is here: make its sandbox, run it
  update,  ///< it runs here and its object has changed (labels, or it is going away now)
  end,     ///< it runs here and the API has forgotten it: stop it, tell nobody
  release, ///< it is going away and nothing of it is here: only its object is left to remove
};
struct Action {
  Step step;
  std::string uid;
  friend bool operator==(const Action &, const Action &) = default;
};

/// `here` are the pods that run here as they were last known. In order of uid.
std::vector<Action> plan(const Pods &desired, const Pods &here);

} // namespace sluice::podlet
