// prevResult, and what a delegate answers: printed in any version and read again, it is the same.
#include "cni/portmap/config.hpp"
#include "cni/protocol/fuzz/require.hpp"
#include "cni/protocol/result.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
  using namespace sluice::cni;
  const auto result = parse_result(text_of(data, size), kLatestVersion);
  if (!worked(result))
    return 0;
  (void)pod_addresses(*result, "eth0");
  for (const auto &version : kSupportedVersions) {
    const auto text = to_text(*result, version);
    if (!worked(text)) {
      require(version < Version{0, 3, 0}, "a result without addresses has a form", version.str());
      continue;
    }
    const auto again = parse_result(*text, kLatestVersion);
    require(worked(again), "what was printed reads", *text);
    require(version != kLatestVersion || *again == *result, "and is the same", *text);
    const auto twice = to_text(*again, version);
    require(twice.has_value() && *twice == *text, "an old form is kept", *text);
  }
  return 0;
}
