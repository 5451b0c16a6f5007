#pragma once
// The request's environment: which verb, for which attachment (CNI SPEC 1.1 §2 "Parameters").

#include "cni/protocol/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cni {

enum class Command : std::uint8_t { add, del, check, status, gc, version };

/// "ADD", "DEL", ...
std::string_view name_of(Command command) noexcept;

/// One attachment: an interface of a container. Records and kernel objects are named by it.
struct Attachment {
  std::string container_id, ifname;
  friend auto operator<=>(const Attachment &, const Attachment &) = default;
};

/// CNI_ARGS. Keys are matched exactly, as the reference plugins do.
struct Args {
  std::optional<std::string> ip;                 ///< IP: "10.0.0.5" or "10.0.0.5/24"
  std::optional<std::string> mac;                ///< MAC
  std::map<std::string, std::string> kubernetes; ///< K8S_POD_NAME and its like
};

/// "K=V;K=V", split at the first '='. A key that no plugin of ours knows is an error (code 7)
/// unless IgnoreUnknown is 1, true or True.
Outcome<Args> parse_args(std::string_view text);

struct Environment {
  Command command = Command::version;
  Attachment attachment;         ///< ADD, DEL, CHECK
  std::string netns;             ///< CNI_NETNS; may be empty for DEL
  std::string args;              ///< CNI_ARGS as it came; `parse_args` reads it
  std::vector<std::string> path; ///< CNI_PATH, split at ':'
  bool netns_override = false;   ///< CNI_NETNS_OVERRIDE: the host's own namespace is wanted
};

/// All "NAME=value" strings of the process; a later duplicate wins.
using Variables = std::map<std::string, std::string, std::less<>>;
/// From environ(7) or the like, terminated by a null pointer.
Variables read_variables(const char *const *environ_strings);

/// CNI_COMMAND is not set: a person started the plugin by hand.
bool is_called_by_hand(const Variables &variables);

/// Checks presence and form. Every variable that the verb needs and that is missing is named in one
/// error of code 4. CNI_PATH is asked for when something is delegated, not here.
Outcome<Environment> parse_environment(const Variables &variables);

/// The rule for container ids and network names: a letter or digit, then letters, digits, '_', '.',
/// '-'.
bool is_valid_id(std::string_view text) noexcept;

} // namespace sluice::cni
