#include "kube/objects.hpp"

#include <algorithm>

namespace sluice::kube {

bool is_ready(const Pod &pod) noexcept {
  return std::any_of(pod.conditions.begin(), pod.conditions.end(), [](const Condition &condition) {
    return condition.type == "Ready" && condition.status == "True";
  });
}

} // namespace sluice::kube
