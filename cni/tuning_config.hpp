#pragma once
// The keys of `tuning`. Pure.

#include "cni/protocol/config.hpp"
#include "kernel/rtnl.hpp"
#include "net/mac_address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::cni {

/// Attributes of one link; what is not set is left alone.
struct LinkTuning {
  std::optional<MacAddress> mac;
  std::optional<std::uint32_t> mtu_bytes, tx_queue_packets;
  std::optional<bool> promiscuous, all_multicast;
  bool empty() const noexcept { return *this == LinkTuning{}; }
  friend bool operator==(const LinkTuning &, const LinkTuning &) = default;
};

struct SysctlSetting {
  std::string key;  ///< as it was written
  std::string path; ///< below /proc/sys: "net/ipv4/conf/eth0/rp_filter"
  std::string value;
  friend bool operator==(const SysctlSetting &, const SysctlSetting &) = default;
};

struct TuningConfig {
  std::vector<SysctlSetting> sysctls; ///< in the order of the keys
  LinkTuning link;
  std::string data_dir = "/run/cni/tuning";
};

/// `ifname` takes the place of IFNAME in keys. For the MAC, CNI_ARGS wins over the configuration,
/// runtimeConfig over that, and args.cni over all; for everything else args.cni wins. Errors of
/// code 7: a wrong value, a sysctl key that is there twice or lies outside net.
Outcome<TuningConfig> parse_tuning_config(const NetworkConfig &config, std::string_view args,
                                          const std::string &ifname);

/// Only the folder of the backups, for DEL.
std::string tuning_data_dir(const NetworkConfig &config);

/// "net.ipv4.conf.IFNAME.rp_filter" to "net/ipv4/conf/eth0/rp_filter"; as sysctl(8), a key whose
/// first separator is '/' is a path already. nullopt if it does not lie below net.
std::optional<std::string> sysctl_path(std::string_view key, const std::string &ifname);

/// Each line of `allowlist` is an extended regular expression (regex(7)); every key must match one,
/// anywhere. Code 7 names the key, or the line that is no expression.
Outcome<> check_allowlist(const std::vector<SysctlSetting> &sysctls, const std::string &allowlist);

/// The attributes of `link` that `change` sets: what undoes it.
LinkTuning saved_attributes(const LinkTuning &change, const kernel::Link &link);
/// The record of a backup, as the reference plugin writes it. What does not read is not set.
std::string backup_text(const LinkTuning &saved);
LinkTuning parse_backup(std::string_view text);

kernel::SetLink change_of(const LinkTuning &tuning, kernel::IfIndex link);
/// Code 102 names the first attribute that differs.
Outcome<> check_link(const LinkTuning &wanted, const kernel::Link &link);
/// Values that differ only in blanks are equal: the kernel writes tabs where people write spaces.
bool same_sysctl_value(std::string_view a, std::string_view b);

} // namespace sluice::cni
