#pragma once
// What sluice-proxy answers, in people's words. Pure; a field that is missing is left out.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sluice::cli {

std::string explain_text(const nlohmann::json &answer);
std::string status_text(const nlohmann::json &answer);
/// Of verb "mode".
std::string mode_text(const nlohmann::json &answer);
std::string dump_text(const nlohmann::json &answer);

} // namespace sluice::cli
