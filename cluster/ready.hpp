#pragma once
// Waiting for a cluster through its own API.

#include "net/result.hpp"

#include <chrono>
#include <string>

namespace sluice::cluster {

/// Until the file exists. Errors: timeout.
Result<> wait_for_file(const std::string &path, std::chrono::steady_clock::time_point deadline);

/// Until /readyz answers. Errors: timeout, with the last answer.
Result<> wait_for_api(const std::string &kubeconfig,
                      std::chrono::steady_clock::time_point deadline);

/// Until the Node has the condition Ready. Errors: timeout, with the reason that the Node gives.
Result<> wait_for_node(const std::string &kubeconfig, const std::string &node,
                       std::chrono::steady_clock::time_point deadline);

} // namespace sluice::cluster
