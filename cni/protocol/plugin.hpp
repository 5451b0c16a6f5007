#pragma once
// From a process's environment and stdin to its answer: the part that all plugins share. A plugin
// is one object with a function for each verb.

#include "cni/protocol/config.hpp"
#include "cni/protocol/environment.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace sluice::cni {

struct Request {
  Environment environment;
  Variables variables; ///< of the process, for delegates
  NetworkConfig config;
};

/// What one name on disk does. Stateless: everything is in the request.
class Plugin {
public:
  virtual ~Plugin() = default;
  virtual std::string_view name() const = 0;
  /// Older configurations are refused before the plugin sees them, and VERSION does not list them.
  virtual Version oldest_version() const { return kOldestVersion; }
  /// Any failure must leave nothing behind.
  virtual Outcome<AddResult> add(const Request &request) const = 0;
  /// What is gone already is no error. `request.config` was read leniently.
  virtual Outcome<> del(const Request &request) const = 0;
  virtual Outcome<> check(const Request &request) const = 0;
  virtual Outcome<> status(const Request &request) const = 0;
  /// Only called with a list of valid attachments.
  virtual Outcome<> gc(const Request &request) const = 0;
};

/// What the process prints, and its exit status.
struct Answer {
  int exit_status = 0;
  std::string out, err;
};

/// Reads the whole input; called at most once, and not for VERSION.
using ReadInput = std::function<Outcome<std::string>()>;

/// Never throws and never prints: one JSON document or nothing in `out`. Refuses what the
/// configuration's version does not have (CHECK before 0.4.0, STATUS and GC before 1.1.0: code 1)
/// before the plugin sees it. Without CNI_COMMAND, an about text in `err`.
Answer answer(const Plugin &plugin, const Variables &variables, const ReadInput &read_input);

} // namespace sluice::cni
