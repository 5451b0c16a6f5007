#include "proxy/nftables/dataplane.hpp"
#include "proxy/nftables/drift.hpp"
#include "proxy/nftables/explain.hpp"
#include "proxy/nftables/mirror.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

Result<> well_formed(const std::map<BackendSetId, BackendSet> &sets) {
  for (const auto &[id, backends] : sets)
    if (backends.empty() || id.value == 0)
      return fail(Errc::invalid_input, "program nftables: backend set " + std::to_string(id.value) +
                                           " is empty; an empty set is number 0 and not listed");
  return {};
}

class NftablesDataplane final : public Dataplane {
public:
  NftablesDataplane(Family family, std::unique_ptr<Nft> nft, Options options)
      : family_(family), nft_(std::move(nft)), options_(std::move(options)) {}

  Result<> start(const Table &table) override {
    mirror_.reset();
    SLUICE_TRY(well_formed(table.backendSets), "start");
    Mirror mirror(family_, options_);
    SLUICE_ASSIGN(const auto strangers, commits_of_strangers(), "start");
    SLUICE_ASSIGN(const auto actual, read_actual(*nft_, mirror.id()), "start");
    const bool adopt = !actual.exists || adoptable(actual, family_).yes;
    const auto plan = adopt ? mirror.plan_start(actual, table) : mirror.plan_replace(table);
    strangers_ = strangers;
    SLUICE_TRY(commit(plan), "start");
    mirror_ = std::move(mirror);
    return {};
  }

  Result<> apply(const TableDelta &delta) override {
    SLUICE_TRY(well_formed(delta.setBackends), "apply");
    if (!mirror_)
      return fail(Errc::invalid_input, "apply: start the data plane first");
    const auto plan = mirror_->plan_change(delta);
    if (auto done = commit(plan); !done) {
      mirror_.reset(); // it is ahead of the kernel
      return fail(std::move(done.error()).in("apply"));
    }
    return {};
  }

  Result<Drift> verify(const Table &table) override {
    SLUICE_TRY(well_formed(table.backendSets), "verify");
    Mirror fresh(family_, options_);
    SLUICE_ASSIGN(const auto strangers, commits_of_strangers(), "verify");
    SLUICE_ASSIGN(const auto actual, read_actual(*nft_, fresh.id()), "verify");
    if (const auto adopt = adoptable(actual, family_); !adopt.yes)
      return Drift{{"table " + fresh.id().str() + ": " + adopt.why_not}};
    const auto plan = fresh.plan_start(actual, table, mirror_ ? &*mirror_ : nullptr);
    auto drift = drift_of(family_, plan);
    if (drift.empty() && mirror_)
      strangers_ = strangers;
    return drift;
  }

  Result<bool> untouched() override {
    if (!mirror_)
      return false;
    SLUICE_ASSIGN(const auto now, commits_of_strangers(), "look whether the rules changed");
    return now == strangers_;
  }

  Result<> remove() override {
    mirror_.reset();
    const Mirror nothing(family_, options_);
    SLUICE_ASSIGN(const auto found, nft_->read_table(nothing.id()), "remove");
    if (!found)
      return {};
    SLUICE_TRY(commit(Batch(nothing.id()).destroy_table()), "remove");
    return {};
  }

  Result<Explanation> explain(const Flow &flow) override {
    if (!mirror_)
      return fail(Errc::invalid_input, "explain: start the data plane first");
    return explain_from(*nft_, mirror_->id(), mirror_->node(), flow);
  }

private:
  Result<> commit(const Plan &plan) {
    for (const auto &batch : plan.before)
      SLUICE_TRY(commit(batch), "load");
    SLUICE_TRY(commit(plan.change), "change");
    for (const auto &batch : plan.after) {
      auto done = commit(batch);
      // Kernels before 6.2 may hold a chain busy for an instant; the next start removes it.
      if (!done && done.error().code() != Errc::busy)
        return fail(std::move(done.error()).in("clean up"));
    }
    return {};
  }

  Result<> commit(const Batch &batch) {
    auto done = nft_->commit(batch);
    options_.commits->made += done && !batch.empty() ? 1 : 0;
    return done;
  }

  /// Since an unknown beginning: only whether it grows tells something.
  Result<std::uint32_t> commits_of_strangers() {
    SLUICE_ASSIGN(const auto generation, nft_->generation(), "count commits");
    return generation - options_.commits->made;
  }

  Family family_;
  std::unique_ptr<Nft> nft_;
  Options options_;
  std::optional<Mirror> mirror_; // nothing: start comes first
  std::uint32_t strangers_ = 0;  ///< commits_of_strangers when we last looked
};

} // namespace

std::unique_ptr<Dataplane> make_dataplane(Family family, std::unique_ptr<Nft> nft,
                                          Options options) {
  return std::make_unique<NftablesDataplane>(family, std::move(nft), std::move(options));
}

} // namespace sluice::proxy::nftables
