#pragma once
// One reservation, as its file says it.

#include "cni/protocol/environment.hpp"
#include "net/ip_address.hpp"

#include <string>
#include <string_view>

namespace sluice::ipam {

struct Record {
  IpAddress ip;
  std::string container_id; ///< empty: an interrupted write
  std::string ifname;       ///< empty in records of very old versions
  /// Of exactly this attachment, or of its container in an old record.
  bool belongs_to(const cni::Attachment &attachment) const noexcept {
    return !container_id.empty() && container_id == attachment.container_id &&
           (ifname.empty() || ifname == attachment.ifname);
  }
  friend bool operator==(const Record &, const Record &) = default;
};

/// Parses what a record file holds; blanks around id and name do not count. Pure.
Record parse_record(const IpAddress &ip, std::string_view content);

} // namespace sluice::ipam
