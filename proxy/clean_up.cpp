#include "proxy/clean_up.hpp"

#include "kernel/nft/nft_socket.hpp"
#include "kube/daemon/log.hpp"
#include "proxy/leftovers.hpp"
#include "proxy/process.hpp"

#include <malloc.h>

namespace sluice::proxy {
namespace {

using kube::daemon::log_info;
using kube::daemon::log_warning;

/// One line for each thing that was removed or could not be. Whether all went well.
bool report_removed(const leftovers::Removed &removed) {
  for (const auto &what : removed.what)
    log_info("removed", {{"what", what}});
  for (const auto &error : removed.errors)
    log_warning("not removed", {{"error", error}});
  return removed.errors.empty();
}

/// What our own data planes have made.
Result<> remove_ours() {
  for (auto &leftover : other_layouts("")) {
    SLUICE_TRY(leftover.dataplane->remove(),
               "clean up " + leftover.name + " (CAP_NET_ADMIN is needed)");
  }
  return {};
}

} // namespace

std::vector<Retirement::Retiree> other_layouts(const Layout &but, const Layout &first) {
  auto layouts = all_layouts();
  std::stable_partition(layouts.begin(), layouts.end(),
                        [&](const Layout &layout) { return layout == first; });
  std::vector<Retirement::Retiree> out;
  for (const auto &layout : layouts)
    for (const auto family : families_of_host())
      if (layout != but)
        if (auto opened = open_leftover(layout, family)) // else the host cannot have any of it
          out.push_back(
              {layout + ", " + std::string(name_of(family)), std::move(opened->dataplane)});
  return out;
}

Result<> clean_up() {
  SLUICE_TRY(remove_ours(), "sluice-proxy");
  SLUICE_ASSIGN(auto nft, kernel::nft::NftSocket::open(), "clean up");
  bool clean = report_removed(leftovers::remove_iptables());
  clean = report_removed(leftovers::remove_nftables(nft)) && clean;
  clean = report_removed(leftovers::remove_ipvs()) && clean;
  if (!clean)
    return fail(Errc::kernel, "clean up: not all of kube-proxy's rules could be removed");
  return {};
}

void take_over(const std::stop_token &stop) {
  constexpr int kTries = 20;
  for (int i = 0; i < kTries && !stop.stop_requested(); ++i) {
    auto nft = kernel::nft::NftSocket::open();
    bool clean = report_removed(leftovers::remove_iptables());
    if (nft)
      clean = report_removed(leftovers::remove_nftables(*nft)) && clean;
    if (clean)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
  ::malloc_trim(0); // what iptables-save told may have been much, our own rules among it
  if (leftovers::has_ipvs())
    log_warning("kube-proxy's IPVS services are left: they carry the connections that they have; "
                "remove them with sluice-proxy --cleanup when these have ended");
}

} // namespace sluice::proxy
