#pragma once
// The iptables tools in memory: knows chains, jumps and order, but no packets.

#include "kernel/iptables.hpp"

#include <map>
#include <set>

namespace sluice::kernel::fake {

class IptablesTool final : public iptables::Tool {
public:
  using Chain = std::vector<std::string>; ///< rules without "-A <chain> "

  IptablesTool();
  Result<std::string> save(std::string_view table) override;
  Result<> restore(std::string_view text) override;

  /// The next `restore` answers so and does nothing.
  void fail_next(Error error) { next_error_ = std::move(error); }
  /// Of somebody else, or for a test that breaks something.
  std::map<std::string, Chain> &table(const std::string &name) { return tables_.at(name); }
  std::size_t restores() const noexcept { return restores_; }
  const std::string &last_text() const noexcept { return last_text_; }

private:
  using Table = std::map<std::string, Chain>;
  static Result<> line(Table &table, std::string_view text);
  static Result<> check(const Table &table);

  std::map<std::string, Table> tables_;
  std::optional<Error> next_error_;
  std::size_t restores_ = 0;
  std::string last_text_;
};

} // namespace sluice::kernel::fake
