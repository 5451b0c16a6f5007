#include "controlplane/controllers/controllers.hpp"

#include "controlplane/controllers/controller.hpp"
#include "controlplane/controllers/service_allocator.hpp"
#include "controlplane/resources/access.hpp"
#include "kube/daemon/log.hpp"
#include "net/mailbox.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

struct Message {
  const ResourceType *type;
  WatchEvent event;
};

bool is_change(const WatchEvent &event) {
  using enum WatchEvent::Kind;
  return event.kind == added || event.kind == modified || event.kind == deleted;
}

/// Events come and go by themselves; the second spelling of a kind would be seen twice.
bool is_watched(const ResourceType &type) {
  return type.durability != Durability::memory && type.storedApiVersion.empty();
}

} // namespace

class Controllers::Impl {
public:
  Impl(Registry &registry, ControllerSettings settings)
      : registry_(registry), settings_(std::move(settings)),
        allocator_({settings_.serviceCidrs, settings_.nodePorts}, std::random_device()()) {}

  ~Impl() {
    for (const auto id : watches_)
      registry_.unwatch(id);
    mailbox_.close();
    if (thread_.joinable())
      thread_.join();
  }

  ApiResult<> start() {
    adopt_services();
    registry_.add_admission(allocator_);
    for (const auto make : {make_slice_controller, make_node_cidr_controller, make_scheduler,
                            make_namespace_controller, make_garbage_collector,
                            make_node_health_controller, make_pod_cleaner})
      controllers_.push_back(make(context_));
    if (auto watching = watch_all(); !watching)
      return watching;
    thread_ = std::thread([this] { run(); });
    return {};
  }

private:
  void adopt_services() {
    for (const auto &service : registry_.all(kinds_.services))
      for (const auto &problem : allocator_.adopt(service->document()))
        kube::daemon::log_warning("Service keeps what it should not have",
                                  {{"namespace", service->key.namespace_},
                                   {"service", service->key.name},
                                   {"problem", problem}});
  }

  /// Nodes first: who looks at a pod wants to know its node.
  ApiResult<> watch_all() {
    if (auto watching = watch(kinds_.nodes); !watching)
      return watching;
    for (const auto &type : resource_types())
      if (is_watched(type) && &type != &kinds_.nodes)
        if (auto watching = watch(type); !watching)
          return watching;
    return {};
  }

  ApiResult<> watch(const ResourceType &type) {
    auto id = registry_.watch(type, {}, [this, &type](const WatchEvent &event) {
      return !is_change(event) || mailbox_.put({&type, event});
    });
    if (!id)
      return refuse(id.error());
    watches_.push_back(*id);
    return {};
  }

  void run() {
    auto deadline = std::chrono::steady_clock::now();
    while (!mailbox_.closed()) {
      for (auto message = mailbox_.take_until(deadline); message; message = mailbox_.try_take())
        observe(*message);
      deadline = sync();
    }
  }

  void observe(const Message &message) {
    const auto &object = *message.event.object;
    const auto document = object.document();
    const Observation seen{*message.type, object.key, document, *object.bytes,
                           message.event.kind == WatchEvent::Kind::deleted};
    context_.cluster.apply(kinds_, seen);
    for (auto &controller : controllers_)
      controller->observe(seen);
  }

  SteadyTime sync() {
    const auto now = std::chrono::steady_clock::now();
    auto next = now + std::chrono::minutes(10);
    for (auto &controller : controllers_)
      if (const auto due = controller->sync(now))
        next = std::min(next, *due);
    return next;
  }

  Registry &registry_;
  const ControllerSettings settings_;
  const Kinds kinds_ = Kinds::find();
  ServiceAllocator allocator_;
  Cluster cluster_;
  const Context context_{registry_, settings_, kinds_, cluster_};
  std::vector<std::unique_ptr<Controller>> controllers_;
  Mailbox<Message> mailbox_;
  std::vector<Registry::WatchId> watches_;
  std::thread thread_;
};

Controllers::Controllers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Controllers::~Controllers() = default;

Result<std::unique_ptr<Controllers>> Controllers::start(Registry &registry,
                                                        ControllerSettings settings) {
  auto impl = std::make_unique<Impl>(registry, std::move(settings));
  if (auto started = impl->start(); !started)
    return fail(Errc::unavailable, "start the controllers: " + started.error().message);
  return std::unique_ptr<Controllers>(new Controllers(std::move(impl)));
}

} // namespace sluice::controlplane
