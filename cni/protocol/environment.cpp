#include "cni/protocol/environment.hpp"

#include <algorithm>
#include <array>

namespace sluice::cni {
namespace {

constexpr std::array<std::pair<std::string_view, Command>, 6> kCommands = {{
    {"ADD", Command::add},
    {"DEL", Command::del},
    {"CHECK", Command::check},
    {"STATUS", Command::status},
    {"GC", Command::gc},
    {"VERSION", Command::version},
}};

constexpr bool is_alnum(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string_view value_of(const Variables &variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string_view{} : std::string_view(found->second);
}

Outcome<Command> parse_command(std::string_view text) {
  for (const auto &[name, command] : kCommands)
    if (name == text)
      return command;
  return fail(Code::bad_environment, "CNI_COMMAND \"" + std::string(text) + "\" is unknown",
              "known are ADD, DEL, CHECK, STATUS, GC and VERSION");
}

/// One error for all that is missing: a person repairs them in one go.
Outcome<> require_present(const Variables &variables, Command command) {
  std::vector<std::string_view> required;
  if (command == Command::add || command == Command::del || command == Command::check)
    required = {"CNI_CONTAINERID", "CNI_IFNAME"};
  if (command == Command::add || command == Command::check)
    required.insert(required.begin() + 1, "CNI_NETNS");
  std::string missing;
  for (const auto name : required)
    if (value_of(variables, name).empty())
      missing += (missing.empty() ? "" : ", ") + std::string(name);
  if (missing.empty())
    return {};
  return fail(Code::bad_environment, "required environment variables are not set: " + missing,
              "CNI_COMMAND is " + std::string(name_of(command)));
}

bool is_valid_ifname(std::string_view name) noexcept {
  const auto refused = [](char c) {
    return c == '/' || c == ':' || c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
  };
  return !name.empty() && name.size() <= 15 && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), refused);
}

Outcome<> check_attachment(const Attachment &attachment) {
  if (!is_valid_id(attachment.container_id))
    return fail(Code::bad_environment,
                "CNI_CONTAINERID \"" + attachment.container_id + "\" is not valid",
                "a letter or digit, then letters, digits, '_', '.' and '-'");
  if (!is_valid_ifname(attachment.ifname))
    return fail(Code::bad_environment, "CNI_IFNAME \"" + attachment.ifname + "\" is not valid",
                "1 to 15 bytes without '/', ':' and blanks; not \".\" and not \"..\"");
  return {};
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0)
      parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Outcome<bool> parse_ignore_unknown(std::string_view value) {
  if (value == "1" || value == "true" || value == "True")
    return true;
  if (value == "0" || value == "false" || value == "False")
    return false;
  return fail(Code::invalid_config,
              "CNI_ARGS: IgnoreUnknown is \"" + std::string(value) + "\", expected true or false");
}

} // namespace

std::string_view name_of(Command command) noexcept {
  for (const auto &[name, value] : kCommands)
    if (value == command)
      return name;
  return "";
}

bool is_valid_id(std::string_view text) noexcept {
  return !text.empty() && is_alnum(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || c == '_' || c == '.' || c == '-';
  });
}

Outcome<Args> parse_args(std::string_view text) {
  Args args;
  bool ignore_unknown = false;
  std::string unknown;
  for (const auto &pair : split(text, ';')) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return fail(Code::invalid_config, "CNI_ARGS: \"" + pair + "\" is not KEY=VALUE");
    const auto key = pair.substr(0, equals);
    auto value = pair.substr(equals + 1);
    if (key == "IP") {
      args.ip = std::move(value);
    } else if (key == "MAC") {
      args.mac = std::move(value);
    } else if (key == "IgnoreUnknown") {
      SLUICE_TAKE(ignore_unknown, parse_ignore_unknown(value));
    } else if (key.starts_with("K8S_POD_")) {
      args.kubernetes[key] = std::move(value);
    } else {
      unknown += (unknown.empty() ? "" : ", ") + key;
    }
  }
  if (!unknown.empty() && !ignore_unknown)
    return fail(Code::invalid_config, "CNI_ARGS: unknown keys: " + unknown,
                "IgnoreUnknown=1 lets them pass");
  return args;
}

Variables read_variables(const char *const *environ_strings) {
  Variables variables;
  for (; *environ_strings; ++environ_strings) {
    const std::string_view text = *environ_strings;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      variables.insert_or_assign(std::string(text.substr(0, equals)),
                                 std::string(text.substr(equals + 1)));
  }
  return variables;
}

bool is_called_by_hand(const Variables &variables) {
  return variables.find("CNI_COMMAND") == variables.end();
}

Outcome<Environment> parse_environment(const Variables &variables) {
  Environment environment;
  SLUICE_TAKE(environment.command, parse_command(value_of(variables, "CNI_COMMAND")));
  const auto override_text = value_of(variables, "CNI_NETNS_OVERRIDE");
  environment.netns = value_of(variables, "CNI_NETNS");
  environment.args = value_of(variables, "CNI_ARGS");
  environment.path = split(value_of(variables, "CNI_PATH"), ':');
  environment.netns_override = override_text == "1" || override_text == "true";
  environment.attachment = {std::string(value_of(variables, "CNI_CONTAINERID")),
                            std::string(value_of(variables, "CNI_IFNAME"))};
  SLUICE_PASS(require_present(variables, environment.command));
  if (!environment.attachment.container_id.empty() && !environment.attachment.ifname.empty() &&
      environment.command != Command::version)
    SLUICE_PASS(check_attachment(environment.attachment));
  return environment;
}

} // namespace sluice::cni
