#pragma once
// The table of fields that reading, writing, flags and documentation share.

#include "proxy/config/configuration.hpp"

#include <span>
#include <string_view>
#include <variant>

namespace sluice::proxy::config {

using FeatureGates = std::map<std::string, bool>;
using Texts = std::vector<std::string>;

/// Where a field's value is.
using Slot = std::variant<std::string *, bool *, std::int32_t *, float *, nanoseconds *, Texts *,
                          FeatureGates *, VModule *>;

struct Field {
  std::string_view path; ///< "nftables.syncPeriod"
  std::string_view flag; ///< "iptables-sync-period"; empty: none
  Slot (*slot)(KubeProxyConfiguration &config);
  std::string_view help;
  /// Why the field does nothing here; empty: it does what it says.
  std::string_view no_effect = {};
  /// In a file zero is a value, not a word for the default.
  bool zero_counts = false;
};

/// In the order of kube-proxy's struct. A flag may stand at several fields.
std::span<const Field> fields() noexcept;
/// Nothing: no such field.
const Field *find_field(std::string_view path) noexcept;

/// From a flag's text: "true", "30s", "a,b", "Gate=true,Other=false".
Result<> set_text(Slot slot, std::string_view text);
/// Takes the value over from another slot of the same type.
void copy(Slot to, Slot from);
bool is_zero(Slot slot);
bool equal(Slot a, Slot b);

/// The same slot of a configuration that is only read.
inline Slot slot_of(const Field &field, const KubeProxyConfiguration &config) {
  return field.slot(const_cast<KubeProxyConfiguration &>(config));
}

} // namespace sluice::proxy::config
