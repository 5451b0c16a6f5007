#include "cni/flannel.hpp"

#include "cni/flannel_config.hpp"
#include "cni/protocol/exec.hpp"
#include "cni/state_file.hpp"

namespace sluice::cni {
namespace {

Outcome<SubnetEnv> read_subnet_env(const std::string &file) {
  SLUICE_TAKE(const auto text, read_state(file));
  if (!text)
    return fail(Code::try_again, "\"" + file + "\" does not exist yet",
                "flanneld writes it when it has a subnet for this node; is it running?");
  SLUICE_ASSIGN(auto env, parse_subnet_env(*text), "\"" + file + "\"");
  return env;
}

/// The same call, with the delegate's configuration.
Outcome<Request> request_with(const Request &request, std::string text, Strictness strictness) {
  Request delegated;
  delegated.environment = request.environment;
  delegated.variables = request.variables;
  SLUICE_ASSIGN(delegated.config, parse_config(std::move(text), strictness),
                "the configuration of flannel's delegate");
  return delegated;
}

std::string state_of(const Request &request) {
  return flannel_files(request.config).data_dir + "/" + request.environment.attachment.container_id;
}

/// Kept configurations of this network whose container has no valid attachment.
Outcome<> remove_stale_states(const Request &request) {
  const auto folder = flannel_files(request.config).data_dir;
  std::set<std::string> valid;
  for (const auto &attachment : *request.config.valid_attachments)
    valid.insert(attachment.container_id);
  for (const auto &container : states_in(folder)) {
    if (valid.count(container) > 0)
      continue;
    const auto file = folder + "/" + container;
    SLUICE_TAKE(const auto text, read_state(file));
    const auto kept = parse_config(text.value_or(""), Strictness::lenient);
    if (kept && kept->name == request.config.name)
      SLUICE_PASS(remove_state(file));
  }
  return {};
}

} // namespace

Outcome<std::string> FlannelPlugin::program_of(const Request &request) {
  if (request.config.type == "sluice")
    return std::string();
  SLUICE_ASSIGN(auto program, find_plugin(request.config.type, request.environment.path),
                "flannel's delegate");
  return is_this_program(program) ? std::string() : program;
}

Outcome<AddResult> FlannelPlugin::delegate_add(const Request &request) const {
  SLUICE_TAKE(const auto program, program_of(request));
  if (program.empty())
    return plugin_named_(request.config.type)->add(request);
  SLUICE_TAKE(const auto text,
              call_plugin(program, Command::add, request.variables, request.config.text));
  return parse_result(text, request.config.version);
}

Outcome<> FlannelPlugin::run(Command command, const Request &request) const {
  SLUICE_TAKE(const auto program, program_of(request));
  if (!program.empty()) {
    SLUICE_PASS(call_plugin(program, command, request.variables, request.config.text));
    return {};
  }
  const auto plugin = plugin_named_(request.config.type);
  switch (command) {
  case Command::del:
    return plugin->del(request);
  case Command::check:
    return plugin->check(request);
  case Command::status:
    return plugin->status(request);
  case Command::gc:
    return plugin->gc(request);
  default:
    return {};
  }
}

Outcome<AddResult> FlannelPlugin::add(const Request &request) const {
  const auto files = flannel_files(request.config);
  SLUICE_TAKE(const auto env, read_subnet_env(files.subnet_file));
  SLUICE_TAKE(auto text, delegate_config(request.config, env));
  SLUICE_TAKE(const auto delegated, request_with(request, std::move(text), Strictness::strict));
  // Before the delegate: whatever it makes must be found by DEL.
  SLUICE_PASS(save_state(files.data_dir, request.environment.attachment.container_id,
                         delegated.config.text));
  auto result = delegate_add(delegated);
  if (!result) {
    (void)run(Command::del, delegated);
    (void)remove_state(state_of(request));
  }
  return result;
}

Outcome<> FlannelPlugin::del(const Request &request) const {
  const auto file = state_of(request);
  SLUICE_TAKE(auto text, read_state(file));
  if (!text)
    return {};
  auto delegated = request_with(request, std::move(*text), Strictness::lenient);
  if (!delegated) {
    // Cut off when the node lost its power. What we would write today removes the same.
    SLUICE_TAKE(auto fresh, delegate_config(request.config, {}));
    delegated = request_with(request, std::move(fresh), Strictness::lenient);
  }
  if (!delegated)
    return fail(std::move(delegated.error()));
  SLUICE_PASS(run(Command::del, *delegated));
  return remove_state(file);
}

Outcome<> FlannelPlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto text, read_state(state_of(request)));
  if (!text)
    return fail(Code::check_failed, "\"" + state_of(request) + "\" does not exist",
                "flannel's ADD of this container left no record");
  SLUICE_TAKE(auto whole, with_member_of(request.config, "prevResult", *text));
  SLUICE_TAKE(const auto delegated, request_with(request, std::move(whole), Strictness::strict));
  return run(Command::check, delegated);
}

Outcome<> FlannelPlugin::status(const Request &request) const {
  const auto env = read_subnet_env(flannel_files(request.config).subnet_file);
  if (!env)
    return fail(Code::unavailable, env.error().message(), env.error().details());
  SLUICE_TAKE(auto text, delegate_config(request.config, *env));
  SLUICE_TAKE(const auto delegated, request_with(request, std::move(text), Strictness::strict));
  return run(Command::status, delegated);
}

Outcome<> FlannelPlugin::gc(const Request &request) const {
  SLUICE_TAKE(auto text, delegate_config(request.config, {}));
  // A plugin that is run from a file reads the list from there.
  for (const auto *key : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
    SLUICE_TAKE(text, with_member_of(request.config, key, text));
  }
  SLUICE_TAKE(auto delegated, request_with(request, std::move(text), Strictness::strict));
  delegated.config.valid_attachments = request.config.valid_attachments;
  SLUICE_PASS(run(Command::gc, delegated));
  return remove_stale_states(request);
}

} // namespace sluice::cni
