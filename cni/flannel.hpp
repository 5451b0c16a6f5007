#pragma once
// The drop-in `flannel`: the configuration of another plugin made from what flanneld says of this
// node, and that plugin called. If the other plugin is this program, in this process.

#include "cni/protocol/plugin.hpp"

#include <memory>

namespace sluice::cni {

class FlannelPlugin final : public Plugin {
public:
  /// What this program does under a name; never null.
  using PluginNamed = std::unique_ptr<Plugin> (*)(std::string_view name);
  FlannelPlugin(std::string_view name, PluginNamed plugin_named)
      : name_(name), plugin_named_(plugin_named) {}
  std::string_view name() const override { return name_; }
  /// The delegate's configuration is kept in <dataDir>/<container id> until DEL.
  Outcome<AddResult> add(const Request &request) const override;
  /// With the configuration that ADD kept; without one there is nothing to remove.
  Outcome<> del(const Request &request) const override;
  Outcome<> check(const Request &request) const override;
  /// 50 as long as flanneld has not written its file.
  Outcome<> status(const Request &request) const override;
  Outcome<> gc(const Request &request) const override;

private:
  Outcome<AddResult> delegate_add(const Request &request) const;
  Outcome<> run(Command command, const Request &request) const;
  /// Empty: this program.
  static Outcome<std::string> program_of(const Request &request);

  std::string_view name_;
  PluginNamed plugin_named_;
};

} // namespace sluice::cni
