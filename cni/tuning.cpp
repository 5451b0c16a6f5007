#include "cni/tuning.hpp"

#include "cni/namespaces.hpp"
#include "cni/state_file.hpp"
#include "cni/tuning_config.hpp"
#include "kernel/sysctl.hpp"

namespace sluice::cni {

using kernel::RtnlSocket;

namespace {

constexpr const char *kAllowlist = "/etc/cni/tuning/allowlist.conf";

std::string backup_name(const Attachment &attachment) {
  return attachment.container_id + "_" + attachment.ifname + ".json";
}

/// The reference plugin's record does not say whose it is; one member more does, for GC.
std::string backup_of(const std::string &network, const LinkTuning &saved) {
  auto text = backup_text(saved);
  text.insert(1, "\"network\":\"" + network + (text == "{}" ? "\"" : "\","));
  return text;
}

bool is_of_network(const std::string &backup, const std::string &network) {
  return backup.find("\"network\":\"" + network + "\"") != std::string::npos;
}

/// Without the file everything below net is allowed.
Outcome<> obey_allowlist(const TuningConfig &config) {
  if (config.sysctls.empty())
    return {};
  SLUICE_TAKE(const auto allowlist, read_state(kAllowlist));
  if (!allowlist)
    return {};
  return check_allowlist(config.sysctls, *allowlist);
}

Outcome<TuningConfig> config_of(const Request &request) {
  const auto &environment = request.environment;
  SLUICE_TAKE(auto config,
              parse_tuning_config(request.config, environment.args, environment.attachment.ifname));
  return config;
}

Outcome<> set_link(const LinkTuning &tuning, const std::string &ifname) {
  if (tuning.empty())
    return {};
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto link, rtnl.read_link(ifname));
  SLUICE_TAKE(const auto done,
              rtnl.apply_each(kernel::RtnlBatch().add(change_of(tuning, link.index))));
  if (!done.empty())
    return fail(CniError(done.front().error));
  return {};
}

/// In the container's namespace. Returns what undoes it, which is in the backup already.
Outcome<LinkTuning> save_link(const TuningConfig &config, const std::string &network,
                              const Attachment &attachment) {
  if (config.link.empty())
    return LinkTuning{};
  SLUICE_TAKE(auto rtnl, RtnlSocket::open());
  SLUICE_TAKE(const auto link, rtnl.read_link(attachment.ifname));
  auto saved = saved_attributes(config.link, link);
  SLUICE_TRY(save_state(config.data_dir, backup_name(attachment), backup_of(network, saved)),
             "save the interface's attributes");
  return saved;
}

Outcome<> tune(const TuningConfig &config, const std::string &network,
               const Attachment &attachment) {
  for (const auto &setting : config.sysctls)
    SLUICE_TRY(kernel::Sysctl().write(setting.path, setting.value), "sysctl " + setting.key);
  SLUICE_TAKE(const auto saved, save_link(config, network, attachment));
  auto done = set_link(config.link, attachment.ifname);
  if (done)
    return {};
  // The kernel may have done a part of it.
  (void)set_link(saved, attachment.ifname);
  (void)remove_state(config.data_dir + "/" + backup_name(attachment));
  return fail(std::move(done.error()).in("tune interface \"" + attachment.ifname + "\""));
}

Outcome<> check_sysctls(const TuningConfig &config) {
  for (const auto &setting : config.sysctls) {
    const auto value = kernel::Sysctl().read(setting.path);
    if (!value)
      return fail(Code::check_failed, value.error().what());
    if (!same_sysctl_value(*value, setting.value))
      return fail(Code::check_failed, "sysctl \"" + setting.key + "\" is \"" + *value +
                                          "\", the configuration has \"" + setting.value + "\"");
  }
  return {};
}

} // namespace

Outcome<AddResult> TuningPlugin::add(const Request &request) const {
  const auto &attachment = request.environment.attachment;
  SLUICE_TAKE(const auto config, config_of(request));
  if (!request.config.previous)
    return fail(Code::invalid_config,
                "prevResult is missing: tuning comes after the plugin that makes the interface");
  SLUICE_PASS(obey_allowlist(config));
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  SLUICE_PASS(namespaces.in_pod([&] { return tune(config, request.config.name, attachment); }));
  auto result = *request.config.previous;
  for (auto &interface : result.interfaces) {
    if (interface.name != attachment.ifname)
      continue;
    if (config.link.mac)
      interface.mac = config.link.mac->str();
    if (config.link.mtu_bytes && interface.mtu_bytes != 0)
      interface.mtu_bytes = *config.link.mtu_bytes;
  }
  return result;
}

Outcome<> TuningPlugin::del(const Request &request) const {
  const auto &attachment = request.environment.attachment;
  const auto file = tuning_data_dir(request.config) + "/" + backup_name(attachment);
  const auto backup = read_state(file);
  if (!backup || !*backup)
    return {};
  if (const auto namespaces = open_namespaces(request.environment))
    (void)namespaces->in_pod([&] { return set_link(parse_backup(**backup), attachment.ifname); });
  (void)remove_state(file);
  return {};
}

Outcome<> TuningPlugin::check(const Request &request) const {
  SLUICE_TAKE(const auto config, config_of(request));
  if (!request.config.previous)
    return fail(Code::invalid_config, "prevResult is missing: CHECK compares with it");
  SLUICE_TAKE(const auto namespaces, open_namespaces(request.environment));
  return namespaces.in_pod([&]() -> Outcome<> {
    SLUICE_PASS(check_sysctls(config));
    SLUICE_TAKE(auto rtnl, RtnlSocket::open());
    const auto link = rtnl.read_link(request.environment.attachment.ifname);
    if (!link)
      return fail(Code::check_failed, link.error().what());
    return check_link(config.link, *link);
  });
}

Outcome<> TuningPlugin::status(const Request &request) const {
  SLUICE_TAKE(const auto config, config_of(request));
  if (auto allowed = obey_allowlist(config); !allowed)
    return fail(Code::unavailable, allowed.error().message());
  return {};
}

Outcome<> TuningPlugin::gc(const Request &request) const {
  const auto folder = tuning_data_dir(request.config);
  std::set<std::string> valid;
  for (const auto &attachment : *request.config.valid_attachments)
    valid.insert(backup_name(attachment));
  for (const auto &name : states_in(folder)) {
    const auto file = folder + "/" + name;
    const auto backup =
        valid.count(name) == 0 ? read_state(file) : Outcome<std::optional<std::string>>();
    if (backup && *backup && is_of_network(**backup, request.config.name))
      SLUICE_PASS(remove_state(file));
  }
  return {};
}

} // namespace sluice::cni
