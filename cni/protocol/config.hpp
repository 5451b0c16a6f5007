#pragma once
// The request's configuration: what every plugin reads of it. Keys of one plugin are read by that
// plugin, from `document`.

#include "cni/protocol/environment.hpp"
#include "cni/protocol/json.hpp"
#include "cni/protocol/result.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::cni {

struct NetworkConfig {
  std::string text; ///< stdin as it came: delegates get the same bytes
  JsonDocument document;
  Version version = kOldestVersion;
  std::string name, type;
  std::string ipam_type; ///< empty: no addresses
  Dns dns;
  std::optional<AddResult> previous;
  /// `cni.dev/valid-attachments` of GC; nullopt if the key is absent (then nothing may be removed).
  std::optional<std::set<Attachment>> valid_attachments;
};

/// How much of a configuration must make sense.
enum class Strictness {
  strict,
  /// DEL: only what says whose state is to be removed; everything else that does not read counts as
  /// absent, because a configuration that was changed must not keep a pod from going away.
  lenient,
};

/// Only the version, so that an error about the rest can carry it; the oldest if it does not read.
Version read_version(std::string_view text) noexcept;

/// Errors: 6 no JSON or cniVersion has no form of a version; 1 a version that is not ours; 7 wrong
/// or missing keys, named with their value.
Outcome<NetworkConfig> parse_config(std::string text, Strictness strictness);

/// The reader for the keys at the top.
ObjectReader top_of(const NetworkConfig &config);

} // namespace sluice::cni
