#include "cni/protocol/plugin.hpp"

namespace sluice::cni {
namespace {

constexpr Version kFirstWithCheck{0, 4, 0};
constexpr Version kFirstWithStatusAndGc{1, 1, 0};

Outcome<> require_version(const Plugin &plugin, const NetworkConfig &config, Command command) {
  if (config.version < plugin.oldest_version())
    return fail(Code::incompatible_version,
                "cniVersion \"" + config.version.str() + "\" is not supported by " +
                    std::string(plugin.name()),
                "supported are " + supported_versions_text(plugin.oldest_version()));
  const auto first = command == Command::check                              ? kFirstWithCheck
                     : command == Command::status || command == Command::gc ? kFirstWithStatusAndGc
                                                                            : kOldestVersion;
  if (config.version >= first)
    return {};
  return fail(Code::incompatible_version, std::string(name_of(command)) + " needs cniVersion " +
                                              first.str() + " or later; the configuration has " +
                                              config.version.str());
}

Outcome<std::string> text_of(Outcome<> outcome) {
  if (!outcome)
    return fail(std::move(outcome.error()));
  return std::string();
}

/// A result that the configuration's version cannot express is a failure like any other.
Outcome<std::string> run_add(const Plugin &plugin, const Request &request) {
  SLUICE_TAKE(const auto result, plugin.add(request));
  auto text = to_text(result, request.config.version);
  if (!text)
    (void)plugin.del(request);
  return text;
}

Outcome<std::string> run_verb(const Plugin &plugin, const Request &request) {
  switch (request.environment.command) {
  case Command::add:
    return run_add(plugin, request);
  case Command::del:
    return text_of(plugin.del(request));
  case Command::check:
    return text_of(plugin.check(request));
  case Command::status:
    return text_of(plugin.status(request));
  case Command::gc:
    // Without a list nobody said what may go.
    return request.config.valid_attachments ? text_of(plugin.gc(request)) : std::string();
  case Command::version:
    break;
  }
  return version_answer(kLatestVersion, plugin.oldest_version());
}

/// `version` is set as soon as it is known, so that an error about the rest can carry it.
Outcome<std::string> serve(const Plugin &plugin, const Variables &variables,
                           const ReadInput &read_input, Version &version) {
  Request request;
  SLUICE_TAKE(request.environment, parse_environment(variables));
  const auto command = request.environment.command;
  if (command == Command::version)
    return version_answer(kLatestVersion, plugin.oldest_version());
  SLUICE_TAKE(const auto text, read_input());
  auto config =
      parse_config(text, command == Command::del ? Strictness::lenient : Strictness::strict);
  version = config ? config->version : read_version(text);
  SLUICE_TAKE(request.config, std::move(config));
  SLUICE_PASS(require_version(plugin, request.config, command));
  request.variables = variables;
  return run_verb(plugin, request);
}

std::string about(const Plugin &plugin) {
  return "CNI plugin " + std::string(plugin.name()) +
         " of Sluice\nCNI protocol versions supported: " +
         supported_versions_text(plugin.oldest_version()) + "\n";
}

} // namespace

Answer answer(const Plugin &plugin, const Variables &variables, const ReadInput &read_input) {
  if (is_called_by_hand(variables))
    return {0, "", about(plugin)};
  Version version = kLatestVersion;
  auto text = serve(plugin, variables, read_input, version);
  if (!text)
    return {1, text.error().str(version) + "\n", ""};
  return {0, text->empty() ? "" : std::move(*text) + "\n", ""};
}

} // namespace sluice::cni
