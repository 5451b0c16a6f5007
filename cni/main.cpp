// One program with several names: what it does follows from the name that it was called by.

#include "cni/bandwidth.hpp"
#include "cni/direct.hpp"
#include "cni/flannel.hpp"
#include "cni/loopback.hpp"
#include "cni/portmap/plugin.hpp"
#include "cni/program_names.hpp"
#include "cni/protocol/exec.hpp"
#include "cni/protocol/plugin.hpp"
#include "cni/sluice_plugin.hpp"
#include "cni/tuning.hpp"
#include "ipam/plugin.hpp"

#include <csignal>
#include <memory>
#include <string_view>
#include <unistd.h>

namespace sluice::cni {
namespace {

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1); // npos + 1 is 0
}

std::unique_ptr<Plugin> plugin_named(std::string_view name);

std::unique_ptr<Plugin> make_plugin(PluginKind kind, std::string_view name) {
  switch (kind) {
  case PluginKind::ipam:
    return std::make_unique<ipam::IpamPlugin>(name);
  case PluginKind::ptp:
    return std::make_unique<DirectPlugin>(name, Layout::ptp);
  case PluginKind::loopback:
    return std::make_unique<LoopbackPlugin>(name);
  case PluginKind::portmap:
    return std::make_unique<PortmapPlugin>(name);
  case PluginKind::tuning:
    return std::make_unique<TuningPlugin>(name);
  case PluginKind::flannel:
    return std::make_unique<FlannelPlugin>(name, plugin_named);
  case PluginKind::bandwidth:
    return std::make_unique<BandwidthPlugin>(name);
  case PluginKind::sluice:
    break;
  }
  return std::make_unique<SluicePlugin>(name);
}

/// Under a name of no plugin it is `bridge`.
std::unique_ptr<Plugin> plugin_named(std::string_view name) {
  for (const auto &known : kProgramNames)
    if (known.name == name)
      return make_plugin(known.kind, name);
  return make_plugin(PluginKind::sluice, name);
}

/// Nobody read the result, so nobody knows of the interface: take it back.
void take_back(const Plugin &plugin, Variables variables, const std::string &config) {
  const auto command = variables.find("CNI_COMMAND");
  if (command == variables.end() || command->second != name_of(Command::add))
    return;
  command->second = name_of(Command::del);
  (void)answer(plugin, variables, [&] { return Outcome<std::string>(config); });
}

int run(std::string_view name, const Variables &variables) {
  const auto plugin = plugin_named(name);
  std::string config;
  const auto said = answer(*plugin, variables, [&] {
    auto text = read_to_end(STDIN_FILENO);
    config = text ? *text : std::string();
    return text;
  });
  (void)write_all(STDERR_FILENO, said.err);
  if (write_all(STDOUT_FILENO, said.out))
    return said.exit_status;
  if (said.exit_status == 0)
    take_back(*plugin, variables, config);
  return 1;
}

} // namespace
} // namespace sluice::cni

int main(int argc, char **argv) {
  // A reader that went away is an error to handle, not the end.
  std::signal(SIGPIPE, SIG_IGN);
  return sluice::cni::run(sluice::cni::base_name(argc > 0 ? argv[0] : "sluice"),
                          sluice::cni::read_variables(environ));
}
