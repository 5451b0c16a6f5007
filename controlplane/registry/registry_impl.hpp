#pragma once
// The writing side of the registry.
//
// A write: read the newest state (even if it is not on disk yet), compute the new document without
// any lock, then under `write_mutex_`: look whether the state is still the same (else start again),
// run the admission hooks, take the next version, hand it to the store. When the store has it on
// disk, it becomes visible and the writer returns.

#include "controlplane/registry/state.hpp"

#include <future>

namespace sluice::controlplane {

class Registry::Impl {
public:
  Impl(const std::vector<ResourceType> &types, std::unique_ptr<Store> store, Options options);
  ~Impl();
  Result<> load();

  State &state() noexcept { return state_; }
  const State &state() const noexcept { return state_; }
  void add_admission(Admission &hook);
  void close();

  ApiResult<StoredPtr> create(const ResourceType &type, json object, const WriteOptions &options);
  ApiResult<StoredPtr> mutate(const ResourceType &type, const Key &key, const Change &change,
                              const WriteOptions &options);
  ApiResult<DeleteResult> remove(const ResourceType &type, const Key &key,
                                 const DeleteOptions &options);

private:
  /// A change that has passed every check but the admission hooks.
  struct Draft {
    AdmissionRequest::Operation operation;
    const ResourceType *type;
    Key key;
    std::string subresource;
    StoredPtr previous;              ///< nullptr for create
    std::shared_ptr<json> object;    ///< for remove: the last state
    std::shared_ptr<const json> old; ///< what `object` was before, if the hooks are asked
    bool dry_run = false;
    bool admitted = true; ///< false: the hooks are not asked (a deletion that is only announced)
  };
  /// The newest state of an object, `object` nullptr if it is gone.
  struct Pending {
    StoredPtr object;
    std::uint64_t version;
  };

  StoredPtr newest(const ResourceType &type, const Key &key) const;
  /// Nothing if somebody else was faster.
  std::optional<ApiResult<StoredPtr>> commit(Draft draft);
  ApiResult<StoredPtr> write(Draft &draft, std::unique_lock<std::mutex> lock);
  ApiResult<> admit(Draft &draft);
  void undo(Draft &draft, std::size_t hooks);
  AdmissionRequest request_of(Draft &draft);
  void settle(const Result<> &outcome, const Revision &revision,
              const std::shared_ptr<Draft> &draft);
  ApiResult<> check_namespace(const ResourceType &type, const Key &key) const;
  ApiResult<StoredPtr> update_once(const ResourceType &type, const StoredPtr &old, json before,
                                   json after, const WriteOptions &options, bool &raced);
  ApiResult<StoredPtr> unchanged(const StoredPtr &object) const;
  void expire_loop();
  void expire_memory();

  const std::vector<ResourceType> &types_;
  const Options options_;
  const ResourceType *namespaces_ = nullptr;
  std::vector<Admission *> hooks_;
  State state_;

  std::mutex write_mutex_;
  std::uint64_t next_version_ = 1; ///< guarded by write_mutex_
  bool closed_ = false;            ///< guarded by write_mutex_
  mutable std::mutex pending_mutex_;
  std::map<std::pair<const ResourceType *, Key>, Pending> pending_; ///< guarded by pending_mutex_

  std::unique_ptr<Store> store_; ///< its thread calls `settle`: it goes before what that uses

  std::mutex expire_mutex_;
  std::condition_variable expire_wake_;
  bool expire_ends_ = false; ///< guarded by expire_mutex_
  std::thread expire_thread_;
};

} // namespace sluice::controlplane
