#include "controlplane/store/sqlite.hpp"

#include <sqlite3.h>

namespace sluice::controlplane {
namespace {

Error error_of(sqlite3 *database, int code) {
  const int kind = code & 0xff;
  const std::string text = database ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED)
    return {Errc::busy, text};
  if (kind == SQLITE_FULL)
    return {Errc::exhausted, text + " (no space left on the disk?)"};
  if (kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT)
    return {Errc::invalid_input, text + " (restore the file from a backup, or move it away to "
                                        "start with an empty cluster)"};
  return {Errc::io, text};
}

} // namespace

Statement::Statement(sqlite3_stmt *statement) : statement_(statement) {}

void Statement::Finalize::operator()(sqlite3_stmt *statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement &Statement::bind(int position, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), position, text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Statement &Statement::bind(int position, std::uint64_t number) {
  sqlite3_bind_int64(statement_.get(), position, static_cast<sqlite3_int64>(number));
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW)
    return true;
  Result<bool> result = false;
  if (code != SQLITE_DONE)
    result = fail(error_of(sqlite3_db_handle(statement_.get()), code));
  sqlite3_reset(statement_.get());
  return result;
}

Result<> Statement::run() {
  const auto row = step();
  if (!row)
    return fail(row.error());
  return {};
}

std::string Statement::text(int column) const {
  const auto *bytes = sqlite3_column_blob(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes ? std::string(static_cast<const char *>(bytes), size) : std::string();
}

std::uint64_t Statement::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

void Database::Close::operator()(sqlite3 *database) const noexcept { sqlite3_close_v2(database); }

Result<Database> Database::open(const std::string &file) {
  sqlite3 *raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  Database database(raw); // to be closed even if opening failed (sqlite3_open_v2)
  if (code != SQLITE_OK)
    return fail(error_of(raw, code).in("open \"" + file + "\""));
  sqlite3_busy_timeout(raw, 5000);
  for (const char *pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"})
    SLUICE_TRY(database.execute(pragma), "open \"" + file + "\"");
  return database;
}

Result<> Database::execute(const std::string &sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK)
    return fail(error_of(database_.get(), code).in("\"" + sql + "\""));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt *statement = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK)
    return fail(error_of(database_.get(), code).in("\"" + std::string(sql) + "\""));
  return Statement(statement);
}

} // namespace sluice::controlplane
