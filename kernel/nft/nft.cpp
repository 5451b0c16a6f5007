#include "kernel/nft/nft.hpp"

#include <linux/netfilter/nf_tables.h>

namespace sluice::kernel::nft {
namespace {

// What the kernel takes for a set without a size as soon as a rule adds elements to it.
constexpr std::uint32_t kDynamicSize = 65535;

class Collect final : public ElementSink {
public:
  void begin() override { elements.clear(); }
  void take(Element &&element) override { elements.push_back(std::move(element)); }
  std::vector<Element> elements;
};

} // namespace

SetInfo info_of(const Set &set) {
  std::uint32_t flags = 0;
  flags |= set.is_map() ? static_cast<std::uint32_t>(NFT_SET_MAP) : 0;
  flags |= set.constant ? static_cast<std::uint32_t>(NFT_SET_CONSTANT) : 0;
  flags |= set.interval ? static_cast<std::uint32_t>(NFT_SET_INTERVAL) : 0;
  flags |= set.timeouts ? static_cast<std::uint32_t>(NFT_SET_TIMEOUT) : 0;
  flags |= set.dynamic ? static_cast<std::uint32_t>(NFT_SET_EVAL) : 0;
  return {.name = set.name,
          .flags = flags,
          .key_bytes = static_cast<std::uint32_t>(set.key_bytes()),
          .data_bytes = static_cast<std::uint32_t>(set.data_bytes()),
          .verdicts = set.verdicts,
          .size = set.dynamic && set.size == 0 ? kDynamicSize : set.size};
}

Result<std::vector<Element>> Nft::elements(const TableId &table, const std::string &set) {
  Collect collect;
  SLUICE_TRY(read_elements(table, set, collect), "read the elements of " + set);
  return std::move(collect.elements);
}

Result<std::optional<Element>> Nft::read_element(const TableId &table, const std::string &set,
                                                 const Value &key) {
  const auto all = elements(table, set);
  if (!all && all.error().code() == Errc::not_found)
    return std::optional<Element>();
  SLUICE_TRY(all, "look an element up");
  for (const auto &element : *all)
    if (element.key == key)
      return std::optional(element);
  return std::optional<Element>();
}

} // namespace sluice::kernel::nft
