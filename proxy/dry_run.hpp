#pragma once

#include "proxy/dataplane.hpp"
#include "proxy/model/tracer.hpp"

#include <functional>

namespace sluice::proxy {

/// Shows what would be in the kernel and touches nothing.
class DryRun final : public Dataplane {
public:
  explicit DryRun(std::function<void(const Table &)> show) : show_(std::move(show)) {}
  Result<> start(const Table &table) override {
    table_ = table;
    show_(table_);
    return {};
  }
  Result<> apply(const TableDelta &delta) override {
    apply_delta(table_, delta);
    show_(table_);
    return {};
  }
  Result<Drift> verify(const Table &) override { return Drift{}; }
  Result<> remove() override { return {}; }
  Result<Explanation> explain(const Flow &flow) override { return trace(table_, flow); }

private:
  std::function<void(const Table &)> show_;
  Table table_;
};

} // namespace sluice::proxy
