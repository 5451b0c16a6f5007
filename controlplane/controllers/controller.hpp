#pragma once
// What the runner and the controllers agree on. Everything here is used by one thread.

#include "controlplane/controllers/controllers.hpp"
#include "controlplane/controllers/views.hpp"

namespace sluice::controlplane {

using SteadyTime = std::chrono::steady_clock::time_point;

/// The kinds that controllers touch, looked up once.
struct Kinds {
  const ResourceType &pods, &nodes, &services, &slices, &endpoints, &namespaces, &accounts,
      &config_maps, &leases, &events;
  static Kinds find();
};

/// One change of one object.
struct Observation {
  const ResourceType &type;
  const Key &key;
  const json &document;    ///< the last state if `deleted`
  const std::string &text; ///< the same, as it is stored
  bool deleted;
};

/// The objects as values, kept by the runner: each observation is in here before a controller sees
/// it, what it replaced is in `old_pod`, `old_service`.
struct Cluster {
  std::map<Key, kube::Pod> pods;
  std::map<std::string, kube::Node> nodes;
  std::map<Key, kube::Service> services;
  std::map<Key, kube::EndpointSlice> slices;
  std::optional<kube::Pod> old_pod;

  void apply(const Kinds &kinds, const Observation &observation);
};

struct Context {
  Registry &registry;
  const ControllerSettings &settings;
  const Kinds &kinds;
  Cluster &cluster;
};

/// Level-triggered: observations only mark what to look at; `sync` looks and writes.
class Controller {
public:
  explicit Controller(const Context &context) : context_(context) {}
  virtual ~Controller() = default;
  virtual void observe(const Observation &observation) = 0;
  /// Does what is due. Returns when it must be called again if nothing is observed before.
  virtual std::optional<SteadyTime> sync(SteadyTime now) = 0;

protected:
  /// Logs an error that is going to be retried or dropped; true if there was none. NotFound and
  /// Conflict are not worth a line: somebody else was faster, an observation will follow.
  template <class T> bool done(const ApiResult<T> &result, const std::string &doing) const {
    if (!result)
      report(result.error(), doing);
    return result.has_value() || result.error().code == 404;
  }
  void report(const ApiError &error, const std::string &doing) const;
  Context context_;
};

/// A Warning or Normal event about an object; never fails, a lost event is only logged.
void record_event(const Context &context, const ResourceType &type, const json &document,
                  std::string_view event_type, std::string_view reason, std::string_view message);

std::unique_ptr<Controller> make_slice_controller(const Context &context);
std::unique_ptr<Controller> make_node_cidr_controller(const Context &context);
std::unique_ptr<Controller> make_scheduler(const Context &context);
std::unique_ptr<Controller> make_namespace_controller(const Context &context);
std::unique_ptr<Controller> make_garbage_collector(const Context &context);
std::unique_ptr<Controller> make_node_health_controller(const Context &context);
std::unique_ptr<Controller> make_pod_cleaner(const Context &context);

} // namespace sluice::controlplane
