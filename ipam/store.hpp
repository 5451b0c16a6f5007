#pragma once
// The records on disk, byte for byte as host-local keeps them, so that a live node can change from
// one to the other and back:
//
//   <folder>/                      0755
//     lock                         flock(2)ed while anything is read or written; never removed
//     10.244.1.7                   0600, made with O_EXCL: "<container id>\r\n<interface name>"
//     last_reserved_ip.<set>       0600, the address given out last from that set
//     .sluice-index                0600, ours alone: ipam/record_index.hpp
//
// A record of very old versions holds the container id alone. A record that holds no container id
// is a write that was interrupted: under the lock nobody is writing it, so it counts as free.

#include "cni/protocol/error.hpp"
#include "ipam/record.hpp"
#include "net/unique_fd.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::ipam {

/// An open, locked store. The lock is held as long as the object lives; other processes wait.
class Store {
public:
  /// Makes the folder if it is missing.
  static cni::Outcome<Store> open(const std::string &folder);
  /// nullopt, and nothing is made, if there is no such folder.
  static cni::Outcome<std::optional<Store>> open_existing(const std::string &folder);

  /// The records of an attachment, each read. By the index: nullopt if that cannot be relied on,
  /// because somebody else has changed the folder since it was written.
  std::optional<std::vector<Record>> find_by_index(const cni::Attachment &attachment);
  /// Reads every record, interrupted ones too. Unknown files are passed over.
  cni::Outcome<> scan();
  /// As of `scan`, with what was reserved and released since; in order of address but for those.
  const std::vector<Record> &records() const noexcept { return records_; }

  /// False if the address has a record already.
  cni::Outcome<bool> reserve(const IpAddress &ip, const cni::Attachment &attachment);
  /// No error if there is no record.
  cni::Outcome<> release(const IpAddress &ip);
  /// After the last change; `find_by_index` or `scan` comes first. It cannot fail: without an index
  /// the next one scans.
  void save_index();
  /// nullopt if nothing was given out yet, or if the file does not read.
  std::optional<IpAddress> last_reserved(std::size_t set);
  cni::Outcome<> set_last_reserved(std::size_t set, const IpAddress &ip);

private:
  Store(std::string folder, UniqueFd directory, UniqueFd lock)
      : folder_(std::move(folder)), directory_(std::move(directory)), lock_(std::move(lock)) {}
  void load_index();
  bool write_index(std::string text, std::size_t offset);
  std::string folder_;
  UniqueFd directory_, lock_, index_;
  struct LastFile {
    UniqueFd fd; ///< opened for reading, kept for writing
    std::size_t bytes = 0;
  };
  std::map<std::size_t, LastFile> last_;
  std::vector<Record> records_;
  bool scanned_ = false;
  std::string indexed_; ///< the index as it was read; empty: not valid
  std::string changes_; ///< lines for it
};

} // namespace sluice::ipam
