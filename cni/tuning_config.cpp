#include "cni/tuning_config.hpp"

#include "cni/repeated_key.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex.h>

namespace sluice::cni {
namespace {

constexpr std::int64_t kMaxMtu = 65535;
constexpr std::int64_t kMaxQueue = INT32_MAX;

using Sysctls = std::map<std::string, std::string>;

Outcome<> read_sysctls(const ObjectReader &from, Sysctls &into) {
  SLUICE_TAKE(const auto object, from.object("sysctl"));
  if (!object)
    return {};
  for (const auto &[key, value] : object->json().items()) {
    if (!value.is_string())
      return fail(object->wrong(key, "expected a string"));
    into[key] = value.get<std::string>();
  }
  return {};
}

Outcome<> read_link(const ObjectReader &from, LinkTuning &into) {
  SLUICE_TAKE(const auto mtu, from.number("mtu", 0, kMaxMtu));
  SLUICE_TAKE(const auto queue, from.number("txQLen", 0, kMaxQueue));
  if (mtu)
    into.mtu_bytes = static_cast<std::uint32_t>(*mtu);
  if (queue)
    into.tx_queue_packets = static_cast<std::uint32_t>(*queue);
  if (from.has("promisc"))
    SLUICE_PASS(from.read("promisc", into.promiscuous.emplace()));
  if (from.has("allmulti"))
    SLUICE_PASS(from.read("allmulti", into.all_multicast.emplace()));
  return {};
}

Outcome<std::string> wanted_mac(const ObjectReader &top, std::string_view args_text,
                                const std::optional<ObjectReader> &cni_args) {
  std::string text;
  SLUICE_PASS(top.read("mac", text));
  SLUICE_TAKE(const auto args, parse_args(args_text));
  text = args.mac.value_or(text);
  SLUICE_TAKE(const auto runtime, top.object("runtimeConfig"));
  std::string runtime_mac;
  if (runtime)
    SLUICE_PASS(runtime->read("mac", runtime_mac));
  if (!runtime_mac.empty())
    text = runtime_mac;
  if (cni_args)
    SLUICE_PASS(cni_args->read("mac", text));
  return text;
}

/// args.cni of the configuration.
Outcome<std::optional<ObjectReader>> read_cni_args(const ObjectReader &top) {
  SLUICE_TAKE(const auto args, top.object("args"));
  if (!args)
    return std::optional<ObjectReader>{};
  return args->object("cni");
}

Outcome<std::vector<SysctlSetting>> settings_of(const Sysctls &sysctls, const std::string &ifname) {
  std::vector<SysctlSetting> settings;
  for (const auto &[key, value] : sysctls) {
    auto path = sysctl_path(key, ifname);
    if (!path)
      return fail(Code::invalid_config, "sysctl \"" + key +
                                            "\" is refused: only keys below \"net\" belong to "
                                            "the container's network");
    settings.push_back({key, std::move(*path), value});
  }
  return settings;
}

/// A compiled expression of regex(3).
class Expression {
public:
  static std::unique_ptr<Expression> compile(const std::string &text) {
    auto made = std::make_unique<Expression>();
    made->compiled_ = ::regcomp(&made->regex_, text.c_str(), REG_EXTENDED | REG_NOSUB) == 0;
    return made->compiled_ ? std::move(made) : nullptr;
  }
  Expression() = default;
  Expression(const Expression &) = delete;
  Expression &operator=(const Expression &) = delete;
  ~Expression() {
    if (compiled_)
      ::regfree(&regex_);
  }
  bool matches(const std::string &text) const {
    return ::regexec(&regex_, text.c_str(), 0, nullptr, 0) == 0;
  }

private:
  regex_t regex_{};
  bool compiled_ = false;
};

template <class Fn> void for_each_line(std::string_view text, Fn visit) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    visit(std::string(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Outcome<> differs(const char *what, const std::string &is, const std::string &should_be) {
  return fail(Code::check_failed, std::string(what) + " of the interface is " + is +
                                      ", the configuration has " + should_be);
}
std::string text_of(bool on) { return on ? "on" : "off"; }

} // namespace

std::optional<std::string> sysctl_path(std::string_view key, const std::string &ifname) {
  std::string path(key);
  const auto separator = path.find_first_of("./");
  if (separator == std::string::npos)
    return std::nullopt;
  if (path[separator] == '.')
    for (auto &c : path)
      c = c == '.' ? '/' : c == '/' ? '.' : c;
  if (const auto at = path.find("IFNAME"); at != std::string::npos)
    path.replace(at, 6, ifname);
  const auto framed = "/" + path + "/";
  if (!path.starts_with("net/") || framed.find("//") != std::string::npos ||
      framed.find("/./") != std::string::npos || framed.find("/../") != std::string::npos ||
      path.find('\0') != std::string::npos)
    return std::nullopt;
  return path;
}

Outcome<TuningConfig> parse_tuning_config(const NetworkConfig &network, std::string_view args,
                                          const std::string &ifname) {
  TuningConfig config;
  const auto top = top_of(network);
  if (const auto twice = repeated_key(network.text, "sysctl"))
    return fail(Code::invalid_config, "sysctl \"" + *twice + "\" is there twice");
  SLUICE_TAKE(const auto cni_args, read_cni_args(top));
  SLUICE_PASS(top.read("dataDir", config.data_dir));
  if (config.data_dir.empty())
    config.data_dir = TuningConfig{}.data_dir;
  Sysctls sysctls;
  SLUICE_PASS(read_sysctls(top, sysctls));
  SLUICE_PASS(read_link(top, config.link));
  if (cni_args) {
    SLUICE_PASS(read_sysctls(*cni_args, sysctls));
    SLUICE_PASS(read_link(*cni_args, config.link));
  }
  // These mean "leave it alone".
  if (config.link.mtu_bytes == 0U)
    config.link.mtu_bytes.reset();
  if (config.link.promiscuous == false)
    config.link.promiscuous.reset();
  SLUICE_TAKE(const auto mac, wanted_mac(top, args, cni_args));
  if (!mac.empty()) {
    SLUICE_ASSIGN(config.link.mac, MacAddress::parse(mac), "the MAC address asked for");
  }
  SLUICE_TAKE(config.sysctls, settings_of(sysctls, ifname));
  return config;
}

std::string tuning_data_dir(const NetworkConfig &config) {
  std::string folder;
  (void)top_of(config).read("dataDir", folder);
  return folder.empty() ? TuningConfig{}.data_dir : folder;
}

Outcome<> check_allowlist(const std::vector<SysctlSetting> &sysctls, const std::string &allowlist) {
  std::vector<std::unique_ptr<Expression>> expressions;
  std::optional<std::string> unreadable;
  for_each_line(allowlist, [&](const std::string &line) {
    if (line.empty())
      return;
    expressions.push_back(Expression::compile(line));
    if (!expressions.back())
      unreadable = line;
  });
  if (unreadable)
    return fail(Code::invalid_config,
                "the allowlist of sysctls: \"" + *unreadable + "\" is no regular expression");
  for (const auto &setting : sysctls)
    if (std::none_of(expressions.begin(), expressions.end(),
                     [&](const auto &allowed) { return allowed->matches(setting.key); }))
      return fail(Code::invalid_config,
                  "sysctl \"" + setting.key + "\" is not in the allowlist of this node");
  return {};
}

LinkTuning saved_attributes(const LinkTuning &change, const kernel::Link &link) {
  LinkTuning saved;
  if (change.mac)
    saved.mac = link.mac;
  if (change.mtu_bytes)
    saved.mtu_bytes = link.mtu_bytes;
  if (change.tx_queue_packets)
    saved.tx_queue_packets = link.tx_queue_packets;
  if (change.promiscuous)
    saved.promiscuous = link.promiscuous;
  if (change.all_multicast)
    saved.all_multicast = link.all_multicast;
  return saved;
}

std::string backup_text(const LinkTuning &saved) {
  auto json = Json::object();
  if (saved.mac)
    json["mac"] = saved.mac->str();
  if (saved.promiscuous)
    json["promisc"] = *saved.promiscuous;
  if (saved.mtu_bytes)
    json["mtu"] = *saved.mtu_bytes;
  if (saved.all_multicast)
    json["allmulti"] = *saved.all_multicast;
  if (saved.tx_queue_packets)
    json["txQLen"] = *saved.tx_queue_packets;
  return json.dump(1); // the layout of the reference plugin
}

LinkTuning parse_backup(std::string_view text) {
  LinkTuning saved;
  const auto document = JsonDocument::parse(text);
  if (!document)
    return saved;
  const ObjectReader top(document->root(), "");
  (void)read_link(top, saved);
  std::string mac_text;
  (void)top.read("mac", mac_text);
  if (const auto mac = MacAddress::parse(mac_text))
    saved.mac = *mac;
  return saved;
}

kernel::SetLink change_of(const LinkTuning &tuning, kernel::IfIndex link) {
  kernel::SetLink change{.link = link};
  change.mac = tuning.mac;
  change.mtu_bytes = tuning.mtu_bytes;
  change.promiscuous = tuning.promiscuous;
  change.all_multicast = tuning.all_multicast;
  change.tx_queue_packets = tuning.tx_queue_packets;
  return change;
}

Outcome<> check_link(const LinkTuning &wanted, const kernel::Link &link) {
  if (wanted.mac && *wanted.mac != link.mac)
    return differs("the MAC address", link.mac.str(), wanted.mac->str());
  if (wanted.mtu_bytes && *wanted.mtu_bytes != link.mtu_bytes)
    return differs("the MTU", std::to_string(link.mtu_bytes), std::to_string(*wanted.mtu_bytes));
  if (wanted.tx_queue_packets && *wanted.tx_queue_packets != link.tx_queue_packets)
    return differs("the transmit queue", std::to_string(link.tx_queue_packets),
                   std::to_string(*wanted.tx_queue_packets));
  if (wanted.promiscuous && *wanted.promiscuous != link.promiscuous)
    return differs("promiscuous mode", text_of(link.promiscuous), text_of(*wanted.promiscuous));
  if (wanted.all_multicast && *wanted.all_multicast != link.all_multicast)
    return differs("allmulti", text_of(link.all_multicast), text_of(*wanted.all_multicast));
  return {};
}

bool same_sysctl_value(std::string_view a, std::string_view b) {
  const auto words = [](std::string_view text) {
    std::string joined;
    for (const char c : text) {
      const bool blank = c == ' ' || c == '\t' || c == '\n';
      if (!blank)
        joined += c;
      else if (!joined.empty() && joined.back() != ' ')
        joined += ' ';
    }
    if (!joined.empty() && joined.back() == ' ')
      joined.pop_back();
    return joined;
  };
  return words(a) == words(b);
}

} // namespace sluice::cni
