#pragma once
// Running another plugin: what a runtime does with us, and what we do to delegate (CNI SPEC 1.1 §4
// "Plugin Delegation").

#include "cni/protocol/environment.hpp"
#include "cni/protocol/error.hpp"
#include "cni/protocol/result.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cni {

/// All of stdin, to its end. Code 5 if it cannot be read.
Outcome<std::string> read_to_end(int fd);
/// All of `text`. Code 5 if it cannot be written (EPIPE: nobody listens).
Outcome<> write_all(int fd, std::string_view text);

/// The first regular file named `type` in the folders, in order. Errors: 4 without folders; 7 if
/// `type` holds a '/' or no folder has it.
Outcome<std::string> find_plugin(std::string_view type, const std::vector<std::string> &folders);

/// The file is this very program, under whatever name.
bool is_this_program(const std::string &file);

struct PluginRun {
  int exit_status = 0; ///< of the process; 128 + signal if a signal ended it
  std::string output;  ///< all of stdout
};

/// Runs `program` with exactly these variables and `input` on stdin, and waits for its end. stderr
/// is ours. At `deadline` it is killed (code 11). Code 5 if it cannot be started. Not to be called
/// while another thread changes the signal mask.
Outcome<PluginRun> run_plugin(const std::string &program, const Variables &variables,
                              std::string_view input,
                              std::chrono::milliseconds deadline = std::chrono::minutes(4));

/// Runs a program that is no plugin, with arguments, without a shell. stderr comes with stdout.
Outcome<PluginRun> run_program(const std::string &program,
                               const std::vector<std::string> &arguments,
                               const Variables &variables, std::string_view input,
                               std::chrono::milliseconds deadline);

/// Runs the plugin for `command` as `run_plugin` does, and reads its answer: the text of the
/// result, or the plugin's own error with its code.
Outcome<std::string> call_plugin(const std::string &program, Command command, Variables variables,
                                 std::string_view input);

} // namespace sluice::cni
