#pragma once
// What the kernel should hold for a table: virtual services with their marks, and the nft table's
// contents. Kept in step by deltas: the cost of a change does not grow with the table. Pure.

#include "proxy/ipvs/contents.hpp"
#include "proxy/ipvs/servers.hpp"

namespace sluice::proxy::ipvs {

/// The marks that an earlier run gave: whoever keeps its frontend keeps its service.
struct Remembered {
  std::map<kernel::nft::Value, std::array<Mark, 3>> frontends;
  std::map<std::pair<Mark, SocketAddress>, Mark> pinned;
  std::set<Mark> ours;  ///< recorded: these may be used again
  std::set<Mark> taken; ///< of anybody: never for something new
};

class Mirror {
public:
  Mirror(Family family, const Options &options, Remembered remembered);

  /// The whole table; once, before any change.
  void load(const Table &table);
  void change(const TableDelta &given);

  const Table &table() const noexcept { return table_; }
  Servers &servers() noexcept { return servers_; }
  const Servers &servers() const noexcept { return servers_; }
  Contents &contents() noexcept { return contents_; }
  const Contents &contents() const noexcept { return contents_; }
  /// Its number may be used again.
  void freed(Mark mark) { remembered_.taken.erase(mark); }

private:
  struct ServerKey {
    BackendSetId set;
    Protocol protocol;
    friend auto operator<=>(const ServerKey &, const ServerKey &) = default;
  };
  struct Server {
    Mark mark = 0;
    std::size_t users = 0;          ///< paths of frontends
    std::size_t affinity_users = 0; ///< those with session affinity
  };
  struct Pin {
    Mark mark = 0;
    std::size_t users = 0;
  };

  void bring(const Frontend &frontend, const FrontendInfo &info);
  void withdraw(const Frontend &frontend, const FrontendInfo &info);
  void bring_backends(BackendSetId id, const BackendSet &backends);
  void withdraw_backends(BackendSetId id, const BackendSet &backends);
  void set_node(const NodeInfo &node);
  TableDelta with_frontends_of_shrunk_sets(TableDelta delta) const;
  Mark acquire(const ServerKey &key, bool affinity, Mark hint);
  void release(const ServerKey &key, bool affinity);
  void pin(const ServerKey &key, const Server &server, const BackendSet &backends);
  void unpin(const Server &server, const BackendSet &backends);
  std::map<ServerKey, Mark> retire_unused();
  Mark allocate(Mark hint);
  const BackendSet &backends_of(BackendSetId id) const;

  Family family_;
  const Options &options_;
  Remembered remembered_;
  std::set<Mark> reused_;
  Mark next_ = 1;
  Table table_;
  Servers servers_;
  Contents contents_;
  std::map<ServerKey, Server> server_of_;
  std::map<std::pair<Mark, SocketAddress>, Pin> pins_;
  std::set<IpAddress> node_port_ips_;
  std::set<ServerKey> unused_;
  std::set<std::pair<Mark, SocketAddress>> unpinned_;
};

} // namespace sluice::proxy::ipvs
