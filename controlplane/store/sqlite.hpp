#pragma once
// SQLite with Results: a connection and prepared statements.

#include "net/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::controlplane {

/// A prepared statement, used again and again. Belongs to one thread and one Database.
class Statement {
public:
  explicit Statement(sqlite3_stmt *statement);
  /// Positions count from 1. A bound text must live until the next `reset`.
  Statement &bind(int position, std::string_view text);
  Statement &bind(int position, std::uint64_t number);
  /// True: a row is there to be read; false: done, and reset.
  Result<bool> step();
  /// For statements without rows.
  Result<> run();
  std::string text(int column) const;
  std::uint64_t number(int column) const;

private:
  struct Finalize {
    void operator()(sqlite3_stmt *statement) const noexcept;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection; not thread-safe.
class Database {
public:
  /// Opens or creates `file` in WAL mode with synchronous=FULL.
  static Result<Database> open(const std::string &file);
  /// Runs statements without parameters or rows.
  Result<> execute(const std::string &sql);
  Result<Statement> prepare(std::string_view sql);

private:
  struct Close {
    void operator()(sqlite3 *database) const noexcept;
  };
  explicit Database(sqlite3 *database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
};

} // namespace sluice::controlplane
