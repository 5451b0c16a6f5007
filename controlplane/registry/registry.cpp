#include "controlplane/registry/metadata.hpp"
#include "controlplane/registry/registry_impl.hpp"
#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {

Registry::Registry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Registry::~Registry() = default;

Result<std::unique_ptr<Registry>> Registry::open(const std::vector<ResourceType> &types,
                                                 std::unique_ptr<Store> store, Options options) {
  auto impl = std::make_unique<Impl>(types, std::move(store), options);
  SLUICE_TRY(impl->load(), "load the objects");
  return std::unique_ptr<Registry>(new Registry(std::move(impl)));
}

void Registry::add_admission(Admission &hook) { impl_->add_admission(hook); }

ApiResult<StoredPtr> Registry::get(const ResourceType &type, const Key &key) const {
  auto object = impl_->state().find(type, key);
  if (!object)
    return refuse(not_found(type, key.name));
  return object;
}

ApiResult<ListResult> Registry::list(const ResourceType &type, const ListOptions &options) const {
  return impl_->state().list(type, options);
}

std::vector<StoredPtr> Registry::all(const ResourceType &type) const {
  return impl_->state().all(type);
}

std::uint64_t Registry::resource_version() const { return impl_->state().visible(); }

ApiResult<StoredPtr> Registry::create(const ResourceType &type, json object, WriteOptions options) {
  return impl_->create(type, std::move(object), options);
}

ApiResult<StoredPtr> Registry::update(const ResourceType &type, json object, WriteOptions options) {
  auto shape = check_shape(type, object);
  if (!shape)
    return refuse(shape.error());
  const Key key{text(object, "metadata.namespace"), text(object, "metadata.name")};
  const auto replace = [&object](json &document) -> ApiResult<> {
    document = object;
    return {};
  };
  return impl_->mutate(type, key, replace, options);
}

ApiResult<StoredPtr> Registry::mutate(const ResourceType &type, const Key &key,
                                      const Change &change, WriteOptions options) {
  return impl_->mutate(type, key, change, options);
}

ApiResult<DeleteResult> Registry::remove(const ResourceType &type, const Key &key,
                                         const DeleteOptions &options) {
  return impl_->remove(type, key, options);
}

ApiResult<Registry::WatchId> Registry::watch(const ResourceType &type, const WatchOptions &options,
                                             Sink sink) {
  return impl_->state().watch(type, options, std::move(sink));
}

void Registry::unwatch(WatchId id) { impl_->state().hub().remove(id); }

void Registry::close() { impl_->close(); }

} // namespace sluice::controlplane
