#pragma once

#include "kernel/nft/nft.hpp"

#include "net/unique_fd.hpp"

namespace sluice::kernel::nft {

/// nf_tables over netlink (libmnl; rules are encoded by libnftnl). A batch is one sendmsg(2) and
/// one transaction. The socket stays in the network namespace of the thread that opened it: open it
/// inside `NetNs::run`. Not thread-safe. Writing needs CAP_NET_ADMIN.
class NftSocket final : public Nft {
public:
  static Result<NftSocket> open();

  using Nft::commit;
  Result<> commit(const Batch &batch, CommitOptions options) override;
  Result<std::uint32_t> generation() override;
  Result<std::vector<TableInfo>> read_tables() override;
  Result<std::optional<TableInfo>> read_table(const TableId &table) override;
  Result<std::vector<Chain>> read_chains(const TableId &table) override;
  Result<std::vector<SetInfo>> read_sets(const TableId &table) override;
  Result<> read_elements(const TableId &table, const std::string &set, ElementSink &sink) override;
  Result<std::optional<Element>> read_element(const TableId &table, const std::string &set,
                                              const Value &key) override;
  Result<std::vector<RuleInfo>> read_rules(const TableId &table) override;

  /// The netlink port of this socket: how a monitor knows whose change it sees.
  std::uint32_t port_id() const noexcept { return port_id_; }

private:
  NftSocket(UniqueFd fd, std::uint32_t port_id) : fd_(std::move(fd)), port_id_(port_id) {}
  UniqueFd fd_;
  std::uint32_t port_id_;
  std::uint32_t sequence_ = 1;
  std::size_t send_buffer_bytes_ = 0;
};

} // namespace sluice::kernel::nft
