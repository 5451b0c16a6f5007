#include "kube/informer.hpp"

#include "kube/codec.hpp"
#include "kube/reflector.hpp"
#include "kube/service_cidr.hpp"

#include <atomic>

namespace sluice::kube {
namespace {

ObjectKey key_of(const ObjectMeta &meta) { return {meta.namespace_, meta.name}; }

bool is_same(const ObjectMeta &known, std::string_view uid, std::string_view version) {
  return known.uid == uid && known.resourceVersion == version;
}

/// The objects of one kind, and what of them changes. Not thread-safe, but for `synced`.
template <class Object> class Mirror final : public ReflectorTarget {
public:
  explicit Mirror(typename Informer<Object>::Sink sink) : sink_(std::move(sink)) {}

  bool synced() const noexcept { return synced_; }

  void begin() override { staged_.clear(); }

  Result<ListHead> stage_list(std::string_view json, std::uint64_t &malformed) override {
    return decode_list<Object>(
        json, [this](Object object) { stage_object(std::move(object)); },
        [&](const Error &, std::string_view item) {
          ++malformed;
          keep_previous(item);
        });
  }

  Result<> stage(const WatchEvent &event) override {
    SLUICE_TRY(known_type(event), "watch");
    if (event.type == "DELETED") {
      SLUICE_ASSIGN(const ObjectHead head, decode_head(event.object), "DELETED");
      staged_.erase({head.namespace_, head.name});
      return {};
    }
    if (!known_.empty() && stage_if_unchanged(event.object))
      return {};
    auto object = decode<Object>(event.object);
    if (!object) {
      keep_previous(event.object);
      return fail(std::move(object.error()));
    }
    stage_object(std::move(*object));
    return {};
  }

  void commit() override {
    for (auto at = known_.begin(); at != known_.end();) {
      if (staged_.contains(at->first)) {
        ++at;
        continue;
      }
      report(Kind::deleted, std::move(at->second));
      at = known_.erase(at);
    }
    for (auto &[key, object] : staged_)
      if (object)
        put(key, std::move(*object));
    staged_.clear();
    if (!synced_.exchange(true))
      report(Kind::synced, Object());
  }

  Result<> apply(const WatchEvent &event) override {
    SLUICE_TRY(known_type(event), "watch");
    if (event.type == "DELETED")
      return remove(event.object);
    SLUICE_ASSIGN(Object object, decode<Object>(event.object), event.type);
    ObjectKey key = key_of(object.metadata);
    put(std::move(key), std::move(object));
    return {};
  }

private:
  using Kind = typename Change<Object>::Kind;

  static Result<> known_type(const WatchEvent &event) {
    if (event.type == "ADDED" || event.type == "MODIFIED" || event.type == "DELETED")
      return {};
    return fail(Errc::unsupported, "there is no event of type \"" + event.type + "\"");
  }

  void report(Kind kind, Object object) { sink_({kind, std::move(object)}); }

  void put(ObjectKey key, Object object) {
    const auto known = known_.find(key);
    if (known == known_.end()) {
      known_.emplace(std::move(key), object);
      return report(Kind::added, std::move(object));
    }
    const ObjectMeta &before = known->second.metadata;
    if (is_same(before, object.metadata.uid, object.metadata.resourceVersion) &&
        !before.resourceVersion.empty())
      return;
    const bool other_object = before.uid != object.metadata.uid;
    if (other_object)
      report(Kind::deleted, std::move(known->second));
    known->second = object;
    report(other_object ? Kind::added : Kind::modified, std::move(object));
  }

  Result<> remove(std::string_view text) {
    SLUICE_ASSIGN(const ObjectHead head, decode_head(text), "DELETED");
    const auto known = known_.find({head.namespace_, head.name});
    if (known == known_.end())
      return {};
    Object last = std::move(known->second);
    known_.erase(known);
    report(Kind::deleted, std::move(last));
    return {};
  }

  void stage_object(Object object) {
    ObjectKey key = key_of(object.metadata);
    staged_.insert_or_assign(std::move(key), std::move(object));
  }

  /// Most objects of a second list are as they were: their bodies are not even decoded.
  bool stage_if_unchanged(std::string_view text) {
    const auto head = decode_head(text);
    if (!head)
      return false;
    ObjectKey key{head->namespace_, head->name};
    const auto known = known_.find(key);
    if (known == known_.end() || !is_same(known->second.metadata, head->uid, head->resourceVersion))
      return false;
    staged_.insert_or_assign(std::move(key), std::nullopt);
    return true;
  }

  /// One bad object must not take away what is known of it.
  void keep_previous(std::string_view text) {
    const auto head = decode_head(text);
    if (!head)
      return;
    ObjectKey key{head->namespace_, head->name};
    const auto known = known_.find(key);
    if (known != known_.end() && known->second.metadata.uid == head->uid)
      staged_.insert_or_assign(std::move(key), std::nullopt);
  }

  typename Informer<Object>::Sink sink_;
  std::map<ObjectKey, Object> known_;
  std::map<ObjectKey, std::optional<Object>> staged_; // nullopt: as in known_
  std::atomic<bool> synced_{false};
};

} // namespace

template <class Object> class Informer<Object>::Impl {
public:
  Impl(ApiClient &client, WatchScope scope, Sink sink, InformerOptions options)
      : mirror_(std::move(sink)),
        reflector_(client, rest_of<Object>(), std::move(scope), std::move(options), mirror_),
        thread_([this] { reflector_.run(); }) {}
  ~Impl() {
    reflector_.stop();
    thread_.join();
  }

  Mirror<Object> mirror_;
  Reflector reflector_;
  std::thread thread_;
};

template <class Object>
Informer<Object>::Informer(ApiClient &client, WatchScope scope, Sink sink, InformerOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(scope), std::move(sink), std::move(options))) {
}
template <class Object> Informer<Object>::~Informer() = default;
template <class Object> bool Informer<Object>::synced() const noexcept {
  return impl_->mirror_.synced();
}
template <class Object> InformerStats Informer<Object>::stats() const noexcept {
  return impl_->reflector_.stats();
}

template class Informer<Namespace>;
template class Informer<Node>;
template class Informer<Pod>;
template class Informer<Service>;
template class Informer<ServiceAccount>;
template class Informer<ConfigMap>;
template class Informer<Event>;
template class Informer<EndpointSlice>;
template class Informer<Lease>;
template class Informer<NetworkPolicy>;
template class Informer<ServiceCIDR>;

} // namespace sluice::kube
