#pragma once
// What the kernel holds of our table, as values.

#include "kernel/nft/nft.hpp"
#include "proxy/nftables/layout.hpp"

namespace sluice::proxy::nftables {

using Elements = std::map<kernel::nft::Value, kernel::nft::Value>; ///< key to data; sets: no data

struct Actual {
  bool exists = false;
  std::string comment;
  std::vector<kernel::nft::Chain> chains;
  std::vector<kernel::nft::SetInfo> sets;
  std::map<std::string, std::vector<std::string>> rules; ///< by chain, as text
  std::map<std::string, Elements> elements;              ///< by data map or set, but kAffinity
  std::map<std::string, std::map<std::uint32_t, std::string>>
      verdicts; ///< by verdict map: number to verdict

  bool has_chain(const std::string &name) const;
  const kernel::nft::SetInfo *set(const std::string &name) const;
  /// Empty for a set that is not there.
  const Elements &of(const std::string &set) const;
  Sizes sizes() const;
};

/// O(table); the elements only if the table is of our layout.
Result<Actual> read_actual(kernel::nft::Nft &nft, const kernel::nft::TableId &table);

/// Whether it can be brought to the desired state by adding and removing; if not, why.
struct Adoptable {
  bool yes = false;
  std::string why_not;
};
Adoptable adoptable(const Actual &actual, Family family);

} // namespace sluice::proxy::nftables
