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

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::controlplane {

/// One change, as it goes to disk.
struct StoreRecord {
  enum class Type : std::uint8_t { put, remove };
  std::string key; ///< "<apiVersion>/<plural>/<namespace>/<name>"; opaque here
  std::uint64_t rev = 0;
  Type type = Type::put;
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
  /// Makes sure that revs up to `rev` are never handed out again after a restart; blocks at most
  /// once in many thousand calls.
  virtual Result<> reserve(std::uint64_t rev) = 0;
  /// Called on the store's thread, in the order of `append`, with the outcome of the commit.
  using Done = std::function<void(const Result<> &outcome)>;
  /// `wait` false: the record may be held back some seconds and is dropped if a newer one for the
  /// same key comes (`done` is called at once then, before `append` returns).
  virtual void append(StoreRecord record, bool wait, Done done) = 0;
};

struct SqliteOptions {
  std::string file;
  std::uint64_t logLength = 100000; ///< revs kept in `log`
};
/// Opens or creates; one process at a time (a second one gets Errc::busy).
Result<std::unique_ptr<Store>> open_sqlite_store(SqliteOptions options);
/// Keeps nothing; for tests.
std::unique_ptr<Store> open_memory_store();

} // namespace sluice::controlplane
