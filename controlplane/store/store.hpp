#pragma once
// The durable log under the registry. Not read after start: everything is served from memory.
//
// SQLite, WAL, synchronous=FULL. Writers hand in records and are called back once the transaction
// that holds their record is on disk; all records that wait are committed together.
//
//   current(key PRIMARY KEY, rev, value)   every object, newest version
//   log(rev PRIMARY KEY, key, type)        which key changed at which resourceVersion, trimmed
//   meta(name PRIMARY KEY, value)          schema version, reserved resourceVersions

#include "net/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::controlplane {

/// How soon a record must be on disk.
enum class Persist : std::uint8_t {
  now,   ///< before `done`
  soon,  ///< within `SqliteOptions::coalesce`; only the newest record of a key is written
  never, ///< only takes part in the order of `done`
};

/// One change, as it goes to disk.
struct StoreRecord {
  enum class Type : std::uint8_t { put, remove };
  std::string key; ///< "<apiVersion>/<plural>/<namespace>/<name>"; opaque here
  std::uint64_t rev = 0;
  Type type = Type::put;
  Persist persist = Persist::now;
  std::shared_ptr<const std::string> value; ///< put only
};

/// What a store holds when it is opened.
struct StoreSnapshot {
  struct Row {
    std::string key;
    std::uint64_t rev;
    std::string value;
  };
  std::vector<Row> rows;
  std::vector<StoreRecord> log; ///< oldest first, without values
  std::uint64_t trimmed = 0;    ///< the log is complete after this rev
  std::uint64_t next_rev = 1;   ///< above every rev that was ever handed out
};

/// Thread-safe.
class Store {
public:
  virtual ~Store() = default;
  /// Called once, before anything else.
  virtual Result<StoreSnapshot> load() = 0;
  /// `done` is called once per record, in the order of `append`, with the outcome of the commit;
  /// mostly on the store's thread. No rev that `done` has confirmed is handed out again after a
  /// restart, whatever the record's `persist`. After a failed commit all records that wait then
  /// fail too, because they were built upon the failed ones.
  using Done = std::function<void(const Result<> &outcome)>;
  virtual void append(StoreRecord record, Done done) = 0;
};

struct SqliteOptions {
  std::string file;
  std::uint64_t logLength = 100000; ///< revs kept in `log`
  std::chrono::milliseconds coalesce{5000};
};
/// Opens or creates; one process at a time (a second one gets Errc::busy).
Result<std::unique_ptr<Store>> open_sqlite_store(SqliteOptions options);
/// Keeps nothing and never fails; for tests. `done` is called inside `append`.
std::unique_ptr<Store> open_memory_store();

} // namespace sluice::controlplane
