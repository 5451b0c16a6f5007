#include "cni/ipam_client.hpp"

#include "cni/protocol/exec.hpp"
#include "ipam/plugin.hpp"

namespace sluice::cni {
namespace {

/// A plugin with nothing to say may print "null".
bool says_nothing(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos || text.substr(begin).starts_with("null");
}

} // namespace

Outcome<IpamClient> IpamClient::of(const Request &request) {
  const auto &type = request.config.ipam_type;
  if (type == "sluice-ipam")
    return IpamClient(request, {});
  SLUICE_ASSIGN(auto program, find_plugin(type, request.environment.path), "ipam.type");
  if (type == "host-local" && is_this_program(program))
    return IpamClient(request, {});
  return IpamClient(request, std::move(program));
}

Outcome<AddResult> IpamClient::add() const {
  auto result = program_.empty() ? ipam::IpamPlugin(request_->config.ipam_type).add(*request_)
                                 : add_by_exec();
  if (result && result->ips.empty())
    result = fail(Code::invalid_config,
                  "IPAM plugin \"" + request_->config.ipam_type + "\" gave no addresses");
  if (!result && !program_.empty())
    (void)del();
  return result;
}

Outcome<AddResult> IpamClient::add_by_exec() const {
  SLUICE_TAKE(const auto text,
              call_plugin(program_, Command::add, request_->variables, request_->config.text));
  if (says_nothing(text))
    return AddResult{};
  return parse_result(text, request_->config.version);
}

Outcome<> IpamClient::run(Command command) const {
  if (!program_.empty()) {
    SLUICE_PASS(call_plugin(program_, command, request_->variables, request_->config.text));
    return {};
  }
  const ipam::IpamPlugin plugin(request_->config.ipam_type);
  switch (command) {
  case Command::del:
    return plugin.del(*request_);
  case Command::check:
    return plugin.check(*request_);
  case Command::status:
    return plugin.status(*request_);
  case Command::gc:
    return plugin.gc(*request_);
  default:
    return {};
  }
}

} // namespace sluice::cni
