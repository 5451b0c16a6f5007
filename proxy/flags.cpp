#include "proxy/options.hpp"

#include "proxy/config/fields.hpp"

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

namespace sluice::proxy {
namespace {

using config::Field;

constexpr const char *kVersion = "sluice-proxy v0.1.0";

/// The texts of flags without a field.
struct Loose {
  std::string healthzPort, metricsPort, bootIdFile, machineIdFile, drainTimeout, ipvsDrainLimit;
};

/// The texts of the flags that stand for fields, by flag.
using Texts = std::map<std::string, std::string>;

bool is_switch(const Field &field) {
  config::KubeProxyConfiguration any;
  return std::holds_alternative<bool *>(field.slot(any));
}

/// Each flag once, though it may stand at several fields.
void add_field_flags(CLI::App &app, Texts &texts) {
  for (const auto &field : config::fields()) {
    const std::string flag(field.flag);
    if (flag.empty() || texts.count(flag) > 0)
      continue;
    const auto help = field.no_effect.empty() ? std::string(field.help)
                                              : "without effect: " + std::string(field.no_effect);
    auto &text = texts[flag];
    if (is_switch(field))
      app.add_flag("--" + flag, text, help);
    else
      app.add_option(flag == "v" ? "-v,--v" : "--" + flag, text, help)->join(',');
  }
}

void add_own_flags(CLI::App &app, OwnFlags &own, Loose &old) {
  app.add_option("--config", own.configFile,
                 "a KubeProxyConfiguration (v1alpha1); replaces the flags that have a field, but "
                 "for the logging flags. Read again when it changes");
  app.add_option("--write-config-to", own.writeConfigTo,
                 "write the configuration that the flags say to this file and exit");
  app.add_option("--master", own.master, "address of the API server, instead of kubeconfig's");
  app.add_option("--hostname-override", own.hostnameOverride, "name of our Node");
  app.add_option("--service-cidrs", own.serviceCidrs,
                 "ranges of clusterIPs: what nobody has is dropped");
  app.add_option("--control-socket", own.controlSocket, "default /run/sluice/proxy.sock");
  app.add_option("--drain-timeout", old.drainTimeout,
                 "after a change of mode: how long open connections keep what they need of the old "
                 "mode (default 10m)");
  app.add_option("--ipvs-drain-limit", old.ipvsDrainLimit,
                 "in mode ipvs: how long an endpoint that left keeps its TCP and SCTP connections "
                 "(default 0: until they end)");
  app.add_flag("--manage-sysctls", own.manageSysctls,
               "raise the machine's conntrack parameters to what is configured");
  app.add_flag("--take-over", own.takeOver,
               "remove kube-proxy's rules once ours are in the kernel (default true)");
  app.add_flag("--strict-config", own.strictConfig,
               "refuse a --config with unknown fields instead of warning");
  app.add_flag("--cleanup", own.cleanup,
               "remove our rules and kube-proxy's from the kernel and exit");
  app.add_flag("--init-only", own.initOnly, "do what needs full privilege (sysctls) and exit");
  app.add_flag("--dry-run", own.dryRun, "print what would be done, write nothing, exit");
  app.add_option("--healthz-port", old.healthzPort, "deprecated: 0 switches it off");
  app.add_option("--metrics-port", old.metricsPort, "deprecated: 0 switches it off");
  app.add_option("--boot-id-file", old.bootIdFile, "without effect");
  app.add_option("--machine-id-file", old.machineIdFile, "without effect");
}

/// As pflag reads them: "_" in a name is "-", "-v=2" is "--v=2", and nothing behind "=" is a value.
std::vector<std::string> normalised(int argc, const char *const *argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word.rfind("-v=", 0) == 0)
      word.insert(0, "-");
    const auto equals = std::min(word.find('='), word.size());
    if (word.rfind("--", 0) == 0)
      std::replace(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), '_', '-');
    const bool empty = word.rfind("--", 0) == 0 && equals + 1 == word.size();
    out.push_back(empty ? word.substr(0, equals) : std::move(word));
    if (empty)
      out.emplace_back();
  }
  return out;
}

Result<> set_fields(const Texts &texts, CommandLine &line) {
  for (const auto &field : config::fields())
    if (const std::string flag(field.flag); line.given.count(flag) > 0)
      SLUICE_TRY(config::set_text(field.slot(line.flags), texts.at(flag)), "--" + flag);
  return {};
}

/// An address given as empty switches its server off; so does the old port flag with 0.
Result<> set_address(const std::string &flag, std::string &address, const std::string &old_port,
                     CommandLine &line) {
  const bool old = line.given.count(flag + "-port") > 0;
  if (old)
    line.warnings.push_back("deprecated: --" + flag + "-port; use --" + flag + "-bind-address");
  if (old && old_port != "0") {
    SLUICE_ASSIGN(const auto port, parse_port(old_port), "--" + flag + "-port");
    if (IpAddress::parse(address))
      address = SocketAddress{IpAddress::parse(address).value(), port}.str();
  }
  if (old ? old_port == "0" : line.given.count(flag + "-bind-address") > 0 && address.empty())
    address = "0.0.0.0:0";
  return {};
}

Result<> set_times(const Loose &old, CommandLine &line) {
  if (line.given.count("drain-timeout") > 0) {
    SLUICE_ASSIGN(line.own.drainTimeout, config::parse_duration(old.drainTimeout),
                  "--drain-timeout");
  }
  if (line.given.count("ipvs-drain-limit") > 0) {
    SLUICE_ASSIGN(line.own.ipvsDrainLimit, config::parse_duration(old.ipvsDrainLimit),
                  "--ipvs-drain-limit");
  }
  return {};
}

Result<> set_addresses(const Loose &old, CommandLine &line) {
  SLUICE_TRY(set_address("healthz", line.flags.healthzBindAddress, old.healthzPort, line), "flags");
  SLUICE_TRY(set_address("metrics", line.flags.metricsBindAddress, old.metricsPort, line), "flags");
  for (const auto *flag : {"boot-id-file", "machine-id-file"})
    if (line.given.count(flag) > 0)
      line.warnings.push_back(std::string("without effect: --") + flag);
  return {};
}

void refuse(CommandLine &line, const Error &error) {
  line.exitCode = 2;
  line.text = "sluice-proxy: " + error.what() + "\n";
}

Result<std::string> read_config_file(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(Errc::not_found, "cannot read \"" + path + "\"");
  return text.str();
}

bool is_logging(const Field &field) { return field.path.rfind("logging.", 0) == 0; }

/// The flags that the file replaces.
std::vector<std::string> replaced_flags(const CommandLine &line) {
  std::set<std::string> out;
  for (const auto &field : config::fields())
    if (line.given.count(std::string(field.flag)) > 0 && !is_logging(field))
      out.emplace(field.flag);
  for (const auto *flag : {"healthz-port", "metrics-port"})
    if (line.given.count(flag) > 0)
      out.emplace(flag);
  return {out.begin(), out.end()};
}

void keep_logging_flags(const CommandLine &line, config::KubeProxyConfiguration &config) {
  for (const auto &field : config::fields())
    if (is_logging(field) && line.given.count(std::string(field.flag)) > 0)
      config::copy(field.slot(config), config::slot_of(field, line.flags));
}

Result<ProxyOptions> load_file(const CommandLine &line) {
  SLUICE_ASSIGN(const auto text, read_config_file(line.own.configFile), "--config");
  const auto doing = "--config \"" + line.own.configFile + "\"";
  SLUICE_ASSIGN(auto decoded, config::read(text), doing);
  if (line.own.strictConfig && !decoded.warnings.empty())
    return fail(Errc::invalid_input, doing + ": " + decoded.warnings.front());
  keep_logging_flags(line, decoded.config);
  config::complete(decoded.config);
  SLUICE_ASSIGN(auto options, options_of(std::move(decoded.config), line.own), doing);
  for (auto &warning : decoded.warnings)
    options.warnings.push_back(std::move(warning));
  for (const auto &flag : replaced_flags(line))
    options.warnings.push_back("without effect: --" + flag + " (--config replaces it)");
  return options;
}

} // namespace

CommandLine parse_command_line(int argc, const char *const *argv) {
  CommandLine line;
  Loose old;
  Texts texts;
  CLI::App app("The Service proxy of Sluice.", "sluice-proxy");
  app.set_version_flag("--version", kVersion);
  add_own_flags(app, line.own, old);
  add_field_flags(app, texts);
  try {
    auto words = normalised(argc, argv);
    std::reverse(words.begin(), words.end());
    app.parse(std::move(words));
  } catch (const CLI::ParseError &error) {
    std::ostringstream out;
    line.exitCode = app.exit(error, out, out);
    line.text = out.str();
    return line;
  }
  for (const auto *option : app.get_options())
    if (option->count() > 0)
      line.given.insert(option->get_lnames().front());
  auto done = set_fields(texts, line);
  if (done)
    done = set_times(old, line);
  if (done)
    done = set_addresses(old, line);
  if (!done)
    refuse(line, done.error());
  config::complete(line.flags);
  return line;
}

Result<ProxyOptions> load_options(const CommandLine &line) {
  if (!line.own.configFile.empty())
    return load_file(line);
  SLUICE_ASSIGN(auto options, options_of(line.flags, line.own), "command line");
  options.warnings.insert(options.warnings.begin(), line.warnings.begin(), line.warnings.end());
  return options;
}

} // namespace sluice::proxy
