#pragma once
// What the cases of docs/design/cni-cases.md share: configurations of every version, and a look
// into what a plugin printed.

#include "cni/tests/driver.hpp"

#include <string>
#include <vector>

namespace sluice::integration {

using cni::Command;
using cni::PluginRun;

inline const std::vector<std::string> kVersions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                   "0.4.0", "1.0.0", "1.1.0"};
/// Versions that have CHECK, and those that have STATUS and GC.
bool has_check(const std::string &version);
bool has_status(const std::string &version);

/// `config`, which says cniVersion 1.1.0, in another version.
std::string at(const std::string &version, std::string config);

/// The value at a JSON pointer ("/ips/0/address"), as compact JSON; a string without its quotes;
/// "" if there is none or the text is no JSON.
std::string value_at(const std::string &text, const std::string &pointer);
/// The code of an error object; 0 if the text is none, or is not alone.
unsigned code_of(const std::string &text);
/// Both texts say the same, in whatever order of members.
bool same_json(const std::string &a, const std::string &b);

inline bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// A driver that also takes scripts for programs, and has networks of one and of both families.
class Runtime : public cni::Driver {
public:
  Runtime();

  /// As Driver's; delegates are ours too unless CNI_PATH says otherwise.
  PluginRun call(Command command, const std::string &id, const std::string &config,
                 cni::Variables variables = {}, const std::string &program = {}) {
    variables.emplace("CNI_PATH", folder().path() + "/bin");
    return Driver::call(command, id, config, variables, program);
  }
  /// A file that can be run: `script` for /bin/sh.
  std::string script(const std::string &name, const std::string &text);
  /// The program's full path.
  static std::string sluice() { return std::string(SLUICE_BIN_DIR) + "/sluice"; }

  /// Calls the program under one of its names.
  PluginRun named(const std::string &name, Command command, const std::string &id,
                  const std::string &config, const cni::Variables &variables = {}) {
    return call(command, id, config, variables, program(name));
  }
  /// ADD that must succeed; what it printed.
  std::string added(const std::string &name, const std::string &id, const std::string &config,
                    const cni::Variables &variables = {});
  /// DEL that must succeed and print nothing.
  void removed(const std::string &name, const std::string &id, const std::string &config,
               const cni::Variables &variables = {});
  /// No reservation, no veth.
  void expect_nothing_left();
};

} // namespace sluice::integration
