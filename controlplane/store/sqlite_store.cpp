#include "controlplane/store/sqlite.hpp"
#include "controlplane/store/store.hpp"
#include "net/unique_fd.hpp"

#include <condition_variable>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <sys/file.h>
#include <thread>

namespace sluice::controlplane {
namespace {

/// Revs are reserved on disk in blocks of this size, so that a record that is not written at once
/// (a Lease, an Event) costs no commit. A restart skips what is left of the block.
constexpr std::uint64_t kReserve = 10000;

constexpr const char *kSchema = R"(
  CREATE TABLE IF NOT EXISTS current(key TEXT PRIMARY KEY, rev INTEGER NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS log(rev INTEGER PRIMARY KEY, key TEXT NOT NULL, type INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT OR IGNORE INTO meta VALUES('schema', 1), ('reserved', 0), ('trimmed', 0);
)";

struct Statements {
  Statement put, remove, log, trim, meta;

  static Result<Statements> prepare(Database &database) {
    SLUICE_ASSIGN(auto put,
                  database.prepare("INSERT INTO current VALUES(?1, ?2, ?3) ON CONFLICT(key) DO "
                                   "UPDATE SET rev = ?2, value = ?3"),
                  "prepare");
    SLUICE_ASSIGN(auto remove, database.prepare("DELETE FROM current WHERE key = ?1"), "prepare");
    SLUICE_ASSIGN(auto log, database.prepare("INSERT INTO log VALUES(?1, ?2, ?3)"), "prepare");
    SLUICE_ASSIGN(auto trim, database.prepare("DELETE FROM log WHERE rev <= ?1"), "prepare");
    SLUICE_ASSIGN(auto meta, database.prepare("UPDATE meta SET value = ?2 WHERE name = ?1"),
                  "prepare");
    return Statements{std::move(put), std::move(remove), std::move(log), std::move(trim),
                      std::move(meta)};
  }
};

/// The tables; belongs to one thread at a time.
class Tables {
public:
  static Result<Tables> open(const SqliteOptions &options) {
    SLUICE_ASSIGN(auto database, Database::open(options.file), "open the store");
    SLUICE_TRY(database.execute(kSchema), "open the store \"" + options.file + "\"");
    SLUICE_ASSIGN(auto statements, Statements::prepare(database), "open the store");
    Tables tables(std::move(database), std::move(statements), options.logLength);
    SLUICE_ASSIGN(const auto schema, tables.read_meta("schema"), "open the store");
    if (schema != 1)
      return fail(Errc::unsupported, "the store \"" + options.file + "\" has schema " +
                                         std::to_string(schema) +
                                         ", this program knows 1: use the newer program");
    return tables;
  }

  Result<StoreSnapshot> load() {
    StoreSnapshot snapshot;
    SLUICE_TRY(load_rows(snapshot), "load objects");
    SLUICE_TRY(load_log(snapshot), "load the log");
    SLUICE_ASSIGN(reserved_, read_meta("reserved"), "load");
    SLUICE_ASSIGN(trimmed_, read_meta("trimmed"), "load");
    snapshot.trimmed = trimmed_;
    snapshot.next_rev = reserved_ + 1;
    return snapshot;
  }

  /// One transaction. On an error nothing of it is on disk.
  Result<> commit(const std::vector<const StoreRecord *> &records, std::uint64_t newest) {
    if (records.empty() && newest <= reserved_)
      return {};
    SLUICE_TRY(database_.execute("BEGIN IMMEDIATE"), "commit");
    const std::uint64_t reserved = newest > reserved_ ? newest + kReserve : reserved_;
    const std::uint64_t trimmed = trim_point(newest);
    auto outcome = write(records, reserved, trimmed);
    if (outcome)
      outcome = database_.execute("COMMIT");
    if (!outcome) {
      (void)database_.execute("ROLLBACK"); // it may have rolled back by itself
      return fail(std::move(outcome.error()).in("commit"));
    }
    reserved_ = reserved;
    trimmed_ = trimmed;
    return {};
  }

private:
  Tables(Database database, Statements statements, std::uint64_t log_length)
      : database_(std::move(database)), statements_(std::move(statements)),
        log_length_(log_length) {}

  std::uint64_t trim_point(std::uint64_t newest) const {
    // In steps, so that a commit seldom pays for it.
    if (newest < trimmed_ + log_length_ + log_length_ / 8 + 1)
      return trimmed_;
    return newest - log_length_;
  }

  Result<> write(const std::vector<const StoreRecord *> &records, std::uint64_t reserved,
                 std::uint64_t trimmed) {
    for (const auto *record : records)
      SLUICE_TRY(write(*record), "\"" + record->key + "\"");
    if (reserved != reserved_)
      SLUICE_TRY(statements_.meta.bind(1, "reserved").bind(2, reserved).run(), "reserve");
    if (trimmed != trimmed_) {
      SLUICE_TRY(statements_.trim.bind(1, trimmed).run(), "trim the log");
      SLUICE_TRY(statements_.meta.bind(1, "trimmed").bind(2, trimmed).run(), "trim the log");
    }
    return {};
  }

  Result<> write(const StoreRecord &record) {
    if (record.type == StoreRecord::Type::put)
      SLUICE_TRY(
          statements_.put.bind(1, record.key).bind(2, record.rev).bind(3, *record.value).run(),
          "put");
    else
      SLUICE_TRY(statements_.remove.bind(1, record.key).run(), "remove");
    const auto type = static_cast<std::uint64_t>(record.type);
    return statements_.log.bind(1, record.rev).bind(2, record.key).bind(3, type).run();
  }

  Result<std::uint64_t> read_meta(const std::string &name) {
    SLUICE_ASSIGN(auto query, database_.prepare("SELECT value FROM meta WHERE name = ?1"), name);
    SLUICE_ASSIGN(const bool found, query.bind(1, name).step(), name);
    if (!found)
      return fail(Errc::invalid_input, "no \"" + name + "\" in the table meta");
    return query.number(0);
  }

  Result<> load_rows(StoreSnapshot &snapshot) {
    SLUICE_ASSIGN(auto query, database_.prepare("SELECT key, rev, value FROM current"), "read");
    for (;;) {
      SLUICE_ASSIGN(const bool row, query.step(), "read");
      if (!row)
        return {};
      snapshot.rows.push_back({query.text(0), query.number(1), query.text(2)});
    }
  }

  Result<> load_log(StoreSnapshot &snapshot) {
    SLUICE_ASSIGN(auto query, database_.prepare("SELECT rev, key, type FROM log ORDER BY rev"),
                  "read");
    for (;;) {
      SLUICE_ASSIGN(const bool row, query.step(), "read");
      if (!row)
        return {};
      StoreRecord record;
      record.rev = query.number(0);
      record.key = query.text(1);
      record.type = query.number(2) == 0 ? StoreRecord::Type::put : StoreRecord::Type::remove;
      snapshot.log.push_back(std::move(record));
    }
  }

  Database database_;
  Statements statements_;
  std::uint64_t log_length_;
  std::uint64_t reserved_ = 0, trimmed_ = 0;
};

/// `mutex_` guards `queue_` and `closing_`; everything else belongs to the thread (and to `load`,
/// which runs before the first record).
class SqliteStore final : public Store {
public:
  SqliteStore(Tables tables, UniqueFd lock, SqliteOptions options)
      : lock_(std::move(lock)), options_(std::move(options)), tables_(std::move(tables)),
        thread_([this] { run(); }) {}

  ~SqliteStore() override {
    {
      const std::lock_guard guard(mutex_);
      closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Result<StoreSnapshot> load() override { return tables_.load(); }

  void append(StoreRecord record, Done done) override {
    {
      const std::lock_guard guard(mutex_);
      queue_.push_back({std::move(record), std::move(done)});
    }
    wake_.notify_one();
  }

private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    StoreRecord record;
    Done done;
  };

  void run() {
    bool open = true;
    while (open) {
      std::vector<Entry> batch;
      {
        std::unique_lock guard(mutex_);
        const auto ready = [this] { return closing_ || !queue_.empty(); };
        if (held_.empty())
          wake_.wait(guard, ready);
        else
          wake_.wait_until(guard, flush_at_, ready);
        batch.swap(queue_);
        open = !closing_ || !batch.empty();
      }
      commit(batch, !open);
    }
  }

  void commit(std::vector<Entry> &batch, bool flush) {
    hold_back(batch);
    const bool due = flush || (!held_.empty() && Clock::now() >= flush_at_);
    const auto records = to_write(batch, due);
    const std::uint64_t newest = batch.empty() ? 0 : batch.back().record.rev;
    const auto outcome = tables_.commit(records, newest);
    if (due && outcome)
      held_.clear();
    if (due && !outcome)
      flush_at_ = Clock::now() + options_.coalesce; // what is held is tried again
    if (!outcome)
      take_waiting(batch);
    for (auto &entry : batch)
      entry.done(outcome);
  }

  /// Moves records that may wait into `held_`; a newer record of a key makes an older one void.
  void hold_back(const std::vector<Entry> &batch) {
    for (const auto &entry : batch) {
      if (entry.record.persist == Persist::now)
        held_.erase(entry.record.key);
      if (entry.record.persist != Persist::soon)
        continue;
      if (held_.empty())
        flush_at_ = Clock::now() + options_.coalesce;
      held_[entry.record.key] = entry.record;
    }
  }

  std::vector<const StoreRecord *> to_write(const std::vector<Entry> &batch, bool due) const {
    std::vector<const StoreRecord *> records;
    for (const auto &entry : batch)
      if (entry.record.persist == Persist::now)
        records.push_back(&entry.record);
    if (due)
      for (const auto &[key, record] : held_)
        records.push_back(&record);
    return records;
  }

  void take_waiting(std::vector<Entry> &batch) {
    const std::lock_guard guard(mutex_);
    for (auto &entry : queue_)
      batch.push_back(std::move(entry));
    queue_.clear();
  }

  UniqueFd lock_;
  SqliteOptions options_;
  Tables tables_;
  std::map<std::string, StoreRecord> held_;
  Clock::time_point flush_at_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Entry> queue_;
  bool closing_ = false;
  std::thread thread_;
};

Result<UniqueFd> lock_file(const std::string &file) {
  UniqueFd fd(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!fd)
    return fail(Error::from_errno(errno, "open \"" + file + "\""));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::busy, "lock \"" + file + "\": another process uses this store");
  return fd;
}

} // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(SqliteOptions options) {
  SLUICE_ASSIGN(auto lock, lock_file(options.file + ".lock"), "open the store");
  auto tables = Tables::open(options);
  if (!tables)
    return fail(tables.error());
  return std::make_unique<SqliteStore>(std::move(*tables), std::move(lock), std::move(options));
}

} // namespace sluice::controlplane
