#pragma once
// The records on disk, byte for byte as host-local keeps them, so that a live node can change from
// one to the other and back:
//
//   <folder>/                      0755
//     lock                         flock(2)ed while anything is read or written; never removed
//     10.244.1.7                   0600, made with O_EXCL: "<container id>\r\n<interface name>"
//     last_reserved_ip.<set>       0600, the address given out last from that set
//
// A record of very old versions holds the container id alone. A record that holds no container id
// is a write that was interrupted: under the lock nobody is writing it, so it counts as free.

#include "cni/protocol/environment.hpp"
#include "cni/protocol/error.hpp"
#include "net/ip_address.hpp"
#include "net/unique_fd.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::ipam {

struct Record {
  IpAddress ip;
  std::string container_id; ///< empty: an interrupted write
  std::string ifname;       ///< empty in records of very old versions
  /// Of exactly this attachment, or of its container in an old record.
  bool belongs_to(const cni::Attachment &attachment) const noexcept {
    return container_id == attachment.container_id &&
           (ifname.empty() || ifname == attachment.ifname);
  }
  friend bool operator==(const Record &, const Record &) = default;
};

/// Parses what a record file holds; blanks around id and name do not count. Pure.
Record parse_record(const IpAddress &ip, std::string_view content);

/// An open, locked store. The lock is held as long as the object lives; other processes wait.
class Store {
public:
  /// Makes the folder if it is missing.
  static cni::Outcome<Store> open(const std::string &folder);
  /// nullopt, and nothing is made, if there is no such folder.
  static cni::Outcome<std::optional<Store>> open_existing(const std::string &folder);

  /// Every record, interrupted ones too, in order of address. Unknown files are passed over.
  cni::Outcome<std::vector<Record>> read_records() const;
  /// False if the address has a record already.
  cni::Outcome<bool> reserve(const IpAddress &ip, const cni::Attachment &attachment);
  /// No error if there is no record.
  cni::Outcome<> release(const IpAddress &ip);
  /// nullopt if nothing was given out yet, or if the file does not read.
  std::optional<IpAddress> last_reserved(std::size_t set) const;
  cni::Outcome<> set_last_reserved(std::size_t set, const IpAddress &ip);

private:
  Store(std::string folder, UniqueFd directory, UniqueFd lock)
      : folder_(std::move(folder)), directory_(std::move(directory)), lock_(std::move(lock)) {}
  std::string folder_;
  UniqueFd directory_, lock_;
};

} // namespace sluice::ipam
