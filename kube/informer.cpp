#include "kube/informer.hpp"

#include "kube/codec.hpp"
#include "kube/reflector.hpp"
#include "kube/service_cidr.hpp"
#include "net/hash.hpp"

#include <atomic>

namespace sluice::kube {
namespace {

ObjectKey key_of(const ObjectMeta &meta) { return {meta.namespace_, meta.name}; }

bool is_same(const ObjectMeta &known, std::string_view uid, std::string_view version) {
  return known.uid == uid && known.resourceVersion == version;
}

Result<> known_type(const WatchEvent &event) {
  if (event.type == "ADDED" || event.type == "MODIFIED" || event.type == "DELETED")
    return {};
  return fail(Errc::unsupported, "there is no event of type \"" + event.type + "\"");
}

/// The objects of one kind, and what of them changes. Not thread-safe, but for `synced`.
template <class Object> class Mirror final : public ReflectorTarget {
public:
  explicit Mirror(typename Informer<Object>::Sink sink) : sink_(std::move(sink)) {}

  bool synced() const noexcept override { return synced_; }

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

/// As Mirror, but it holds of each object only its key, its uid and its version.
template <class Object> class Identities final : public ReflectorTarget {
public:
  explicit Identities(typename Informer<Object>::Sink sink) : sink_(std::move(sink)) {}

  bool synced() const noexcept override { return synced_; }

  void begin() override { ++round_; }

  Result<ListHead> stage_list(std::string_view json, std::uint64_t &malformed) override {
    return decode_list<Object>(
        json, [this](Object object) { put(std::move(object)); },
        [&](const Error &, std::string_view item) {
          ++malformed;
          see(item);
        });
  }

  Result<> stage(const WatchEvent &event) override {
    if (event.type != "DELETED" && see_unchanged(event.object))
      return {};
    return apply(event);
  }

  void commit() override {
    for (auto at = known_.begin(); at != known_.end();)
      if (at->second.round == round_)
        ++at;
      else
        at = forget(at);
    if (!synced_.exchange(true))
      sink_({Kind::synced, Object()});
  }

  Result<> apply(const WatchEvent &event) override {
    SLUICE_TRY(known_type(event), "watch");
    if (event.type == "DELETED") {
      SLUICE_ASSIGN(const ObjectHead head, decode_head(event.object), "DELETED");
      if (const auto known = known_.find({head.namespace_, head.name}); known != known_.end())
        forget(known);
      return {};
    }
    auto object = decode<Object>(event.object);
    if (!object) {
      see(event.object);
      return fail(std::move(object.error()).in(event.type));
    }
    put(std::move(*object));
    return {};
  }

private:
  using Kind = typename Change<Object>::Kind;
  struct Identity {
    std::uint64_t uid, version; ///< hashes: equality is all that is asked
    std::uint32_t round;        ///< of the list that had it
    bool same(const Identity &other) const { return uid == other.uid && version == other.version; }
  };
  using Known = std::map<ObjectKey, Identity>;

  Identity identity_of(std::string_view uid, std::string_view version) const {
    return {fnv1a_64(uid), version.empty() ? 0 : fnv1a_64(version), round_};
  }

  void put(Object object) {
    const auto identity = identity_of(object.metadata.uid, object.metadata.resourceVersion);
    auto [known, is_new] = known_.try_emplace(key_of(object.metadata), identity);
    const auto before = std::exchange(known->second, identity);
    if (is_new)
      return sink_({Kind::added, std::move(object)});
    if (before.same(identity) && identity.version != 0)
      return;
    if (before.uid == identity.uid)
      return sink_({Kind::modified, std::move(object)});
    sink_({Kind::deleted, named(known->first)});
    sink_({Kind::added, std::move(object)});
  }

  typename Known::iterator forget(typename Known::iterator at) {
    sink_({Kind::deleted, named(at->first)});
    return known_.erase(at);
  }

  static Object named(const ObjectKey &key) {
    Object object;
    object.metadata.namespace_ = key.namespace_;
    object.metadata.name = key.name;
    return object;
  }

  /// Most objects of a second list are as they were: their bodies are not even decoded.
  bool see_unchanged(std::string_view text) {
    if (round_ == 1)
      return false;
    const auto head = decode_head(text);
    if (!head)
      return false;
    const auto known = known_.find({head->namespace_, head->name});
    if (known == known_.end() || !known->second.same(identity_of(head->uid, head->resourceVersion)))
      return false;
    known->second.round = round_;
    return true;
  }

  /// One bad object must not take away what is known of it.
  void see(std::string_view text) {
    const auto head = decode_head(text);
    if (!head)
      return;
    if (const auto known = known_.find({head->namespace_, head->name});
        known != known_.end() && known->second.uid == fnv1a_64(head->uid))
      known->second.round = round_;
  }

  typename Informer<Object>::Sink sink_;
  Known known_;
  std::uint32_t round_ = 0;
  std::atomic<bool> synced_{false};
};

} // namespace

template <class Object> class Informer<Object>::Impl {
public:
  Impl(ApiClient &client, WatchScope scope, Sink sink, const InformerOptions &options)
      : target_(make_target(std::move(sink), options.identitiesOnly)),
        reflector_(client, rest_of<Object>(), std::move(scope), options, *target_),
        thread_([this] { reflector_.run(); }) {}
  ~Impl() {
    reflector_.stop();
    thread_.join();
  }

  static std::unique_ptr<ReflectorTarget> make_target(Sink sink, bool identities_only) {
    if (identities_only)
      return std::make_unique<Identities<Object>>(std::move(sink));
    return std::make_unique<Mirror<Object>>(std::move(sink));
  }

  std::unique_ptr<ReflectorTarget> target_;
  Reflector reflector_;
  std::thread thread_;
};

template <class Object>
Informer<Object>::Informer(ApiClient &client, WatchScope scope, Sink sink, InformerOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(scope), std::move(sink), options)) {}
template <class Object> Informer<Object>::~Informer() = default;
template <class Object> bool Informer<Object>::synced() const noexcept {
  return impl_->target_->synced();
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
