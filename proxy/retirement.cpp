#include "proxy/retirement.hpp"

namespace sluice::proxy {

Retirement::Retirement(std::vector<Retiree> retirees, Options options)
    : options_(std::move(options)), retirees_(std::move(retirees)) {
  for (const auto &retiree : retirees_)
    names_.push_back(retiree.name);
  thread_ = std::thread([this] { run(); });
}

Retirement::~Retirement() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

std::vector<std::string> Retirement::present() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

std::vector<std::string> Retirement::draining() const {
  const std::lock_guard lock(mutex_);
  return looked_ ? names_ : std::vector<std::string>{};
}

bool Retirement::look_at(Retiree &retiree, bool out_of_time) {
  Result<bool> done = true;
  if (out_of_time) {
    if (auto removed = retiree.dataplane->remove(); !removed)
      done = fail(std::move(removed.error()));
  } else {
    done = retiree.dataplane->drain();
  }
  if (!done && options_.failed)
    options_.failed(retiree.name, done.error());
  if (done && *done && options_.gone)
    options_.gone(retiree.name);
  return done && *done;
}

void Retirement::run() {
  const auto deadline = std::chrono::steady_clock::now() + options_.drainTimeout;
  while (!retirees_.empty()) {
    const bool out_of_time = std::chrono::steady_clock::now() >= deadline;
    for (auto at = retirees_.begin(); at != retirees_.end();)
      at = look_at(*at, out_of_time) ? retirees_.erase(at) : std::next(at);
    std::unique_lock lock(mutex_);
    looked_ = true;
    names_.clear();
    for (const auto &retiree : retirees_)
      names_.push_back(retiree.name);
    if (!retirees_.empty() && stopped_.wait_for(lock, options_.interval, [this] { return stop_; }))
      return;
  }
}

} // namespace sluice::proxy
