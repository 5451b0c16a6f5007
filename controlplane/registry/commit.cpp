// Under the write lock and after it: admission, versions, the way through the store.
#include "controlplane/registry/registry_impl.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using Operation = AdmissionRequest::Operation;

Revision::Kind kind_of(Operation operation) {
  switch (operation) {
  case Operation::create:
    return Revision::Kind::added;
  case Operation::update:
    return Revision::Kind::modified;
  case Operation::remove:
    break;
  }
  return Revision::Kind::deleted;
}

Persist persist_of(const ResourceType &type, Operation operation) {
  if (type.durability == Durability::memory)
    return Persist::never;
  if (type.durability == Durability::coalesced && operation != Operation::remove)
    return Persist::soon;
  return Persist::now;
}

} // namespace

Registry::Impl::Impl(const std::vector<ResourceType> &types, std::unique_ptr<Store> store,
                     Options options)
    : types_(types), options_(options), state_(types, options), store_(std::move(store)) {
  for (const auto &type : types)
    if (type.group.empty() && type.kind == "Namespace")
      namespaces_ = &type;
  expire_thread_ = std::thread([this] { expire_loop(); });
}

Registry::Impl::~Impl() {
  {
    const std::lock_guard lock(expire_mutex_);
    expire_ends_ = true;
  }
  expire_wake_.notify_one();
  expire_thread_.join();
  close();
}

void Registry::Impl::close() {
  {
    const std::lock_guard lock(write_mutex_);
    closed_ = true;
  }
  state_.hub().close();
}

Result<> Registry::Impl::load() {
  SLUICE_ASSIGN(auto snapshot, store_->load(), "read the store");
  next_version_ = std::max<std::uint64_t>(1, snapshot.next_rev);
  return state_.load(std::move(snapshot));
}

void Registry::Impl::add_admission(Admission &hook) {
  const std::lock_guard lock(write_mutex_);
  hooks_.push_back(&hook);
}

StoredPtr Registry::Impl::newest(const ResourceType &type, const Key &key) const {
  {
    const std::lock_guard lock(pending_mutex_);
    const auto entry = pending_.find({&type, key});
    if (entry != pending_.end())
      return entry->second.object;
  }
  return state_.find(type, key);
}

AdmissionRequest Registry::Impl::request_of(Draft &draft) {
  const bool removes = draft.operation == Operation::remove;
  const json *old = removes ? draft.object.get() : draft.old.get();
  return {draft.operation,
          draft.type,
          draft.key,
          draft.subresource,
          removes ? nullptr : draft.object.get(),
          old,
          draft.dry_run};
}

ApiResult<> Registry::Impl::admit(Draft &draft) {
  if (!draft.admitted)
    return {};
  for (std::size_t i = 0; i < hooks_.size(); ++i) {
    auto request = request_of(draft);
    auto answer = hooks_[i]->admit(request);
    if (answer)
      continue;
    undo(draft, i);
    return answer;
  }
  return {};
}

void Registry::Impl::undo(Draft &draft, std::size_t hooks) {
  if (!draft.admitted)
    return;
  for (std::size_t i = hooks; i > 0; --i)
    hooks_[i - 1]->undo(request_of(draft));
}

ApiResult<> Registry::Impl::check_namespace(const ResourceType &type, const Key &key) const {
  if (!type.namespaced || !namespaces_)
    return {};
  const auto found = newest(*namespaces_, {"", key.namespace_});
  if (!found)
    return refuse(not_found(*namespaces_, key.namespace_));
  if (!found->deleting)
    return {};
  auto error = forbidden(type, key.name,
                         "unable to create new content in namespace " + key.namespace_ +
                             " because it is being terminated");
  error.causes.push_back({"NamespaceTerminating", "metadata.namespace",
                          "namespace " + key.namespace_ + " is being terminated"});
  return refuse(std::move(error));
}

std::optional<ApiResult<StoredPtr>> Registry::Impl::commit(Draft draft) {
  std::unique_lock lock(write_mutex_);
  if (closed_)
    return refuse(unavailable("the server is shutting down"));
  if (newest(*draft.type, draft.key) != draft.previous)
    return std::nullopt;
  if (draft.operation == Operation::create)
    if (auto allowed = check_namespace(*draft.type, draft.key); !allowed)
      return refuse(allowed.error());
  if (auto admitted = admit(draft); !admitted)
    return refuse(admitted.error());
  return write(draft, std::move(lock));
}

ApiResult<StoredPtr> Registry::Impl::write(Draft &draft, std::unique_lock<std::mutex> lock) {
  const auto &type = *draft.type;
  if (draft.dry_run) {
    undo(draft, hooks_.size());
    const auto version = draft.previous ? draft.previous->resourceVersion : 0;
    return make_stored(type, *draft.object, version);
  }
  const auto version = next_version_++;
  (*draft.object)["metadata"]["resourceVersion"] = std::to_string(version);
  const auto object = make_stored(type, *draft.object, version);
  const bool removes = draft.operation == Operation::remove;
  const Revision revision{kind_of(draft.operation), &type, object, draft.previous};
  StoreRecord record{.key = store_key(type, draft.key),
                     .rev = version,
                     .type = removes ? StoreRecord::Type::remove : StoreRecord::Type::put,
                     .persist = persist_of(type, draft.operation),
                     .value = removes ? nullptr : object->bytes};
  {
    const std::lock_guard pending_lock(pending_mutex_);
    pending_[{&type, draft.key}] = Pending{removes ? nullptr : object, version};
  }
  // Only a failed commit needs the draft again.
  const auto kept = hooks_.empty() ? nullptr : std::make_shared<Draft>(std::move(draft));
  const auto outcome = std::make_shared<std::promise<Result<>>>();
  auto waiting = outcome->get_future();
  store_->append(std::move(record), [this, revision, kept, outcome](const Result<> &result) {
    settle(result, revision, kept);
    outcome->set_value(result);
  });
  lock.unlock();
  const auto result = waiting.get();
  if (!result)
    return refuse(
        internal_error("write " + store_key(type, object->key) + ": " + result.error().what()));
  return object;
}

void Registry::Impl::settle(const Result<> &outcome, const Revision &revision,
                            const std::shared_ptr<Draft> &draft) {
  if (outcome) {
    state_.publish(revision);
  } else {
    state_.skip(revision.version());
    if (draft) {
      const std::lock_guard lock(write_mutex_);
      if (!closed_)
        undo(*draft, hooks_.size());
    }
  }
  const std::lock_guard lock(pending_mutex_);
  const auto entry = pending_.find({revision.type, revision.object->key});
  if (entry != pending_.end() && entry->second.version == revision.version())
    pending_.erase(entry);
}

void Registry::Impl::expire_loop() {
  const auto interval =
      std::max<std::chrono::milliseconds>(std::chrono::milliseconds(100), options_.memoryTtl / 60);
  std::unique_lock lock(expire_mutex_);
  while (!expire_wake_.wait_for(lock, interval, [this] { return expire_ends_; })) {
    lock.unlock();
    expire_memory();
    lock.lock();
  }
}

void Registry::Impl::expire_memory() {
  const auto limit = std::chrono::steady_clock::now() - options_.memoryTtl;
  for (const auto &type : types_) {
    if (type.durability != Durability::memory || !type.storedApiVersion.empty())
      continue;
    for (const auto &object : state_.all(type))
      if (object->written < limit)
        (void)remove(type, object->key, {}); // gone already is just as well
  }
}

} // namespace sluice::controlplane
