#include "cni/leftovers.hpp"

#include "cni/bandwidth_config.hpp"
#include "cni/link_removal.hpp"
#include "cni/spoof_check.hpp"
#include "ipam/config.hpp"
#include "ipam/store.hpp"

#include <algorithm>

namespace sluice::cni {
namespace {

/// A record of a very old version names the container alone: it is kept with any of its interfaces.
bool is_valid(const ipam::Record &record, const std::set<Attachment> &valid) {
  return std::any_of(valid.begin(), valid.end(),
                     [&](const Attachment &each) { return record.belongs_to(each); });
}

Outcome<std::set<Attachment>> stale_attachments(const Request &request) {
  std::set<Attachment> stale;
  const auto &type = request.config.ipam_type;
  if (type != "sluice-ipam" && type != "host-local")
    return stale;
  SLUICE_TAKE(auto store, ipam::Store::open_existing(ipam::store_folder(request.config)));
  if (!store)
    return stale;
  SLUICE_PASS(store->scan());
  for (const auto &record : store->records())
    if (!record.container_id.empty() && !is_valid(record, *request.config.valid_attachments))
      stale.insert({record.container_id, record.ifname});
  return stale;
}

/// The device is the container's, whatever its interfaces.
bool is_in_use(const std::string &container_id, const std::set<Attachment> &valid) {
  return std::any_of(valid.begin(), valid.end(),
                     [&](const Attachment &each) { return each.container_id == container_id; });
}

} // namespace

Outcome<> collect_leftovers(const Request &request) {
  SLUICE_TAKE(const auto stale, stale_attachments(request));
  for (const auto &attachment : stale) {
    SLUICE_PASS(remove_spoof_check(attachment));
    if (!is_in_use(attachment.container_id, *request.config.valid_attachments))
      SLUICE_PASS(remove_link(shaping_device(request.config.name, attachment.container_id)));
  }
  return {};
}

} // namespace sluice::cni
