#pragma once
// Rules that have had their time: ours of another mode, and kube-proxy's.

#include "proxy/dataplanes.hpp"
#include "proxy/retirement.hpp"

#include <stop_token>

namespace sluice::proxy {

/// The data planes of this host but for those of one layout. `first` comes first.
std::vector<Retirement::Retiree> other_layouts(const Layout &but, const Layout &first = {});

/// --cleanup: what our own data planes have made, and kube-proxy's. Errors: kernel, if something is
/// left; the rest is done all the same, and what it was stands in the log.
Result<> clean_up();

/// kube-proxy's rules, once ours do the work. What somebody holds a lock on is tried again.
void take_over(const std::stop_token &stop);

} // namespace sluice::proxy
