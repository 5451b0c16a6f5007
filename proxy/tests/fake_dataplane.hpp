#pragma once
// A data plane that keeps the table in memory and refuses on demand.

#include "proxy/dataplane.hpp"
#include "proxy/model/tracer.hpp"

namespace sluice::proxy::test {

/// What the test sees and bends; outlives the data plane.
struct FakeKernel {
  Table table;
  bool running = false;
  unsigned starts = 0, applies = 0, verifies = 0;
  unsigned failures = 0; ///< so many of the next calls fail
  bool busy = false;     ///< somebody else is writing
  std::vector<TableDelta> deltas;
};

class FakeDataplane final : public Dataplane {
public:
  explicit FakeDataplane(FakeKernel &kernel) : kernel_(kernel) {}

  Result<> start(const Table &table) override {
    ++kernel_.starts;
    SLUICE_TRY(refuse(), "start");
    kernel_.table = table;
    kernel_.running = true;
    return {};
  }
  Result<> apply(const TableDelta &delta) override {
    ++kernel_.applies;
    SLUICE_TRY(refuse(), "apply");
    kept_.push_back(delta);
    if (kernel_.busy)
      return fail(Errc::busy, "another program holds the lock");
    for (const auto &one : std::exchange(kept_, {})) {
      apply_delta(kernel_.table, one);
      kernel_.deltas.push_back(one);
    }
    return {};
  }
  Result<Drift> verify(const Table &table) override {
    ++kernel_.verifies;
    SLUICE_TRY(refuse(), "verify");
    return table == kernel_.table ? Drift{} : Drift{{"the table differs"}};
  }
  Result<> remove() override {
    kernel_.table = {};
    kernel_.running = false;
    return {};
  }
  Result<Explanation> explain(const Flow &flow) override { return trace(kernel_.table, flow); }

private:
  Result<> refuse() {
    if (kernel_.failures == 0)
      return {};
    --kernel_.failures;
    return fail(Errc::kernel, "no buffer space");
  }
  FakeKernel &kernel_;
  std::vector<TableDelta> kept_;
};

} // namespace sluice::proxy::test
