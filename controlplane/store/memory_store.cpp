#include "controlplane/store/store.hpp"

namespace sluice::controlplane {
namespace {

class MemoryStore final : public Store {
public:
  Result<StoreSnapshot> load() override { return StoreSnapshot{}; }
  void append(StoreRecord, Done done) override { done({}); }
};

} // namespace

std::unique_ptr<Store> open_memory_store() { return std::make_unique<MemoryStore>(); }

} // namespace sluice::controlplane
