// One podCIDR per family for every Node.
#include "controlplane/controllers/controller.hpp"
#include "controlplane/resources/access.hpp"
#include "kube/daemon/log.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kRetry = std::chrono::seconds(10);

class NodeCidrController final : public Controller {
public:
  explicit NodeCidrController(const Context &context) : Controller(context) {
    for (const auto &cidr : context.settings.clusterCidrs)
      pools_.emplace_back(cidr, cidr.family() == Family::ipv4 ? context.settings.nodeMaskIpv4
                                                              : context.settings.nodeMaskIpv6);
  }

  void observe(const Observation &seen) override {
    if (&seen.type != &context_.kinds.nodes || pools_.empty())
      return;
    const auto cidrs = texts(seen.document, "spec.podCIDRs");
    if (seen.deleted)
      release(seen.key.name);
    else if (cidrs.empty())
      waiting_.insert(seen.key.name);
    else
      hold(seen.key.name, cidrs);
  }

  std::optional<SteadyTime> sync(SteadyTime now) override {
    for (const auto &name : std::exchange(waiting_, {}))
      if (!assign(name))
        waiting_.insert(name);
    return waiting_.empty() ? std::nullopt : std::optional(now + kRetry);
  }

private:
  SubnetPool *pool_for(Family family) {
    for (auto &pool : pools_)
      if (pool.family() == family)
        return &pool;
    return nullptr;
  }

  void hold(const std::string &name, const std::vector<std::string> &cidrs) {
    auto &held = held_[name];
    for (const auto &text_of_cidr : cidrs) {
      const auto cidr = Cidr::parse(text_of_cidr);
      auto *pool = cidr ? pool_for(cidr->family()) : nullptr;
      if (pool != nullptr && pool->occupy(*cidr))
        held.insert(*cidr);
    }
    waiting_.erase(name);
  }

  void release(const std::string &name) {
    for (const auto &cidr : held_[name])
      pool_for(cidr.family())->release(cidr);
    held_.erase(name);
    waiting_.erase(name);
  }

  bool assign(const std::string &name) {
    std::vector<Cidr> taken;
    for (auto &pool : pools_) {
      auto cidr = pool.take_any();
      if (!cidr) {
        give_back(taken);
        return exhausted(name, cidr.error());
      }
      taken.push_back(*cidr);
    }
    std::vector<std::string> cidrs;
    for (const auto &cidr : taken)
      cidrs.push_back(cidr.str());
    const auto change = [&](json &node) -> ApiResult<> {
      auto *spec = object_at(node, "spec");
      if (spec == nullptr || !is_empty(*spec, "podCIDRs"))
        return {}; // given meanwhile; the observation will tell
      (*spec)["podCIDR"] = cidrs.front();
      (*spec)["podCIDRs"] = cidrs;
      return {};
    };
    const auto written = context_.registry.mutate(context_.kinds.nodes, {"", name}, change);
    if (!written || texts((*written)->document(), "spec.podCIDRs") != cidrs)
      give_back(taken);
    else
      hold(name, cidrs);
    return done(written, "set the podCIDR of node " + name);
  }

  void give_back(const std::vector<Cidr> &cidrs) {
    for (const auto &cidr : cidrs)
      pool_for(cidr.family())->release(cidr);
  }

  bool exhausted(const std::string &name, const Error &error) {
    if (!told_.insert(name).second)
      return false;
    kube::daemon::log_warning("node gets no podCIDR until another node goes",
                              {{"node", name}, {"error", error}});
    if (const auto node = context_.registry.get(context_.kinds.nodes, {"", name}))
      record_event(context_, context_.kinds.nodes, (*node)->document(), "Warning",
                   "CIDRNotAvailable", "Node " + name + ": " + error.what());
    return false;
  }

  std::vector<SubnetPool> pools_;
  std::map<std::string, std::set<Cidr>> held_;
  std::set<std::string> waiting_, told_;
};

} // namespace

std::unique_ptr<Controller> make_node_cidr_controller(const Context &context) {
  return std::make_unique<NodeCidrController>(context);
}

} // namespace sluice::controlplane
