// The controllers on a registry in memory: what becomes of objects that somebody creates.
#include "controlplane/controllers/controllers.hpp"

#include "controlplane/resources/access.hpp"

#include <condition_variable>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

constexpr auto kDeadline = std::chrono::seconds(10);

const ResourceType &kind(const char *api_version, const char *name) {
  return *find_by_kind(api_version, name);
}

class Cluster : public testing::Test {
protected:
  Cluster() {
    auto opened = Registry::open(resource_types(), open_memory_store(), {});
    registry_ = std::move(*opened);
    for (const auto *name : {"default", "kube-node-lease"})
      create("v1", "Namespace", {{"metadata", {{"name", name}}}});
    for (const auto &type : resource_types())
      (void)registry_->watch(type, {}, [this](const WatchEvent &) {
        changed_.notify_all();
        return true;
      });
  }
  ~Cluster() override {
    controllers_.reset();
    registry_->close();
  }

  void start(ControllerSettings settings = {}) {
    settings.clusterCidrs = {*Cidr::parse("10.244.0.0/16")};
    settings.serviceCidrs = {*Cidr::parse("10.96.0.0/16")};
    settings.rootCa = "PEM";
    auto started = Controllers::start(*registry_, std::move(settings));
    ASSERT_TRUE(started) << started.error().what();
    controllers_ = std::move(*started);
  }

  json create(const char *api_version, const char *name, json object) {
    const auto created = registry_->create(kind(api_version, name), std::move(object));
    EXPECT_TRUE(created) << created.error().message;
    return created ? (*created)->document() : json();
  }
  void set_status(const char *name, const Key &key, const json &status) {
    const auto changed = registry_->mutate(kind("v1", name), key,
                                           [&](json &document) -> ApiResult<> {
                                             document["status"].update(status);
                                             return {};
                                           },
                                           {false, "status"});
    EXPECT_TRUE(changed) << changed.error().message;
  }
  json get(const char *api_version, const char *name, const Key &key) {
    const auto found = registry_->get(kind(api_version, name), key);
    return found ? (*found)->document() : json();
  }
  /// Every change wakes it; false after the deadline.
  bool eventually(const std::function<bool()> &holds) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end)
        return false;
      changed_.wait_for(lock, std::chrono::milliseconds(50));
    }
    return true;
  }

  void add_node(const char *name) {
    create("v1", "Node", {{"metadata", {{"name", name}}}});
    set_status("Node", {"", name}, {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}});
  }
  /// A new node is tainted until its controller has seen it ready.
  bool takes_pods(const char *name) {
    return is_empty(get("v1", "Node", {"", name}), "spec.taints");
  }
  void add_pod(const char *name, const char *node = "") {
    json spec = {{"containers", {{{"name", "c"}, {"image", "i"}}}}};
    if (*node != '\0')
      spec["nodeName"] = node;
    create("v1", "Pod",
           {{"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"app", "web"}}}}},
            {"spec", spec}});
  }
  void run_pod(const char *name, const char *ip) {
    set_status("Pod", {"default", name},
               {{"phase", "Running"},
                {"podIP", ip},
                {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}});
  }
  json the_slice() {
    const auto slices = registry_->all(kind("discovery.k8s.io/v1", "EndpointSlice"));
    return slices.size() == 1 ? slices[0]->document() : json();
  }

  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Controllers> controllers_;
  std::condition_variable changed_;
};

TEST_F(Cluster, nodes_get_pod_cidrs_that_never_overlap) {
  start();
  add_node("a");
  add_node("b");
  ASSERT_TRUE(eventually([&] {
    return !is_empty(get("v1", "Node", {"", "a"}), "spec.podCIDR") &&
           !is_empty(get("v1", "Node", {"", "b"}), "spec.podCIDR");
  }));
  const auto first = text(get("v1", "Node", {"", "a"}), "spec.podCIDR");
  EXPECT_NE(first, text(get("v1", "Node", {"", "b"}), "spec.podCIDR"));
}

TEST_F(Cluster, a_ready_node_loses_its_taint_and_takes_pods) {
  start();
  add_pod("web");
  ASSERT_TRUE(eventually([&] {
    return list(get("v1", "Pod", {"default", "web"}), "status.conditions").size() == 1;
  }));
  EXPECT_EQ(text(get("v1", "Pod", {"default", "web"})["status"]["conditions"][0], "message"),
            "no nodes available to schedule pods");
  add_node("a");
  EXPECT_TRUE(eventually([&] {
    return text(get("v1", "Pod", {"default", "web"}), "spec.nodeName") == "a";
  }));
  EXPECT_TRUE(is_empty(get("v1", "Node", {"", "a"}), "spec.taints"));
}

TEST_F(Cluster, pods_spread_over_nodes) {
  start();
  add_node("a");
  add_node("b");
  ASSERT_TRUE(eventually([&] { return takes_pods("a") && takes_pods("b"); }));
  for (const auto *name : {"p1", "p2", "p3", "p4"})
    add_pod(name);
  std::map<std::string, int> counts;
  for (const auto *name : {"p1", "p2", "p3", "p4"}) {
    ASSERT_TRUE(eventually([&] {
      return !is_empty(get("v1", "Pod", {"default", name}), "spec.nodeName");
    }));
    ++counts[text(get("v1", "Pod", {"default", name}), "spec.nodeName")];
  }
  EXPECT_EQ(counts["a"], 2);
  EXPECT_EQ(counts["b"], 2);
}

TEST_F(Cluster, a_service_follows_its_pods) {
  start();
  add_node("a");
  create("v1", "Service",
         {{"metadata", {{"name", "web"}, {"namespace", "default"}}},
          {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}}}}}}});
  add_pod("p1", "a");
  run_pod("p1", "10.244.0.2");
  EXPECT_TRUE(eventually([&] { return list(the_slice(), "endpoints").size() == 1; }));
  EXPECT_EQ(the_slice()["endpoints"][0]["conditions"]["ready"], true);
  EXPECT_TRUE(eventually([&] {
    return list(get("v1", "Endpoints", {"default", "web"}), "subsets").size() == 1;
  }));

  ASSERT_TRUE(registry_->remove(kind("v1", "Pod"), {"default", "p1"}));
  EXPECT_TRUE(
      eventually([&] { return the_slice()["endpoints"][0]["conditions"]["terminating"] == true; }));
  ASSERT_TRUE(registry_->remove(kind("v1", "Pod"), {"default", "p1"}, {.gracePeriodSeconds = 0}));
  EXPECT_TRUE(eventually(
      [&] { return the_slice().is_object() && list(the_slice(), "endpoints").empty(); }));

  ASSERT_TRUE(registry_->remove(kind("v1", "Service"), {"default", "web"}));
  EXPECT_TRUE(eventually([&] {
    return registry_->all(kind("discovery.k8s.io/v1", "EndpointSlice")).empty() &&
           registry_->all(kind("v1", "Endpoints")).empty();
  })) << "its owner is gone";
}

TEST_F(Cluster, a_restart_changes_nothing_that_is_right) {
  start();
  add_node("a");
  create("v1", "Service",
         {{"metadata", {{"name", "web"}, {"namespace", "default"}}},
          {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}}}}}}});
  add_pod("p1", "a");
  run_pod("p1", "10.244.0.2");
  ASSERT_TRUE(eventually([&] {
    return list(the_slice(), "endpoints").size() == 1 &&
           list(get("v1", "Endpoints", {"default", "web"}), "subsets").size() == 1 &&
           !is_empty(get("v1", "Node", {"", "a"}), "spec.podCIDR");
  }));
  controllers_.reset();
  const auto before = the_slice();
  const auto pod_cidr = text(get("v1", "Node", {"", "a"}), "spec.podCIDR");
  start();
  add_node("b");
  ASSERT_TRUE(eventually([&] { return !is_empty(get("v1", "Node", {"", "b"}), "spec.podCIDR"); }));
  EXPECT_EQ(the_slice(), before);
  EXPECT_NE(text(get("v1", "Node", {"", "b"}), "spec.podCIDR"), pod_cidr);
}

TEST_F(Cluster, a_namespace_is_furnished_and_emptied) {
  start();
  create("v1", "Namespace", {{"metadata", {{"name", "team"}}}});
  EXPECT_TRUE(eventually([&] {
    return !get("v1", "ServiceAccount", {"team", "default"}).is_null() &&
           !get("v1", "ConfigMap", {"team", "kube-root-ca.crt"}).is_null();
  }));
  create("v1", "ConfigMap", {{"metadata", {{"name", "c"}, {"namespace", "team"}}}});
  ASSERT_TRUE(registry_->remove(kind("v1", "Namespace"), {"", "team"}));
  EXPECT_TRUE(eventually([&] { return get("v1", "Namespace", {"", "team"}).is_null(); }));
  EXPECT_TRUE(get("v1", "ConfigMap", {"team", "c"}).is_null());
}

TEST_F(Cluster, a_silent_node_is_unknown_until_it_is_heard_again) {
  ControllerSettings settings;
  settings.nodeGracePeriod = std::chrono::seconds(1);
  start(settings);
  add_node("a");
  add_pod("p1", "a");
  run_pod("p1", "10.244.0.2");
  const auto ready = [&](const char *name, const Key &key) {
    const auto object = get("v1", name, key);
    for (const auto &condition : list(object, "status.conditions"))
      if (text(condition, "type") == "Ready")
        return text(condition, "status");
    return std::string();
  };
  EXPECT_TRUE(eventually([&] {
    return ready("Node", {"", "a"}) == "Unknown" && ready("Pod", {"default", "p1"}) == "False" &&
           list(get("v1", "Node", {"", "a"}), "spec.taints").size() == 2;
  }));
  create("coordination.k8s.io/v1", "Lease",
         {{"metadata", {{"name", "a"}, {"namespace", "kube-node-lease"}}},
          {"spec", {{"renewTime", "2026-01-01T00:00:00.000000Z"}}}});
  EXPECT_TRUE(eventually([&] {
    return ready("Node", {"", "a"}) == "True" && ready("Pod", {"default", "p1"}) == "True" &&
           is_empty(get("v1", "Node", {"", "a"}), "spec.taints");
  }));
}

TEST_F(Cluster, pods_go_with_their_node) {
  start();
  add_node("a");
  add_pod("p1", "a");
  ASSERT_TRUE(registry_->remove(kind("v1", "Node"), {"", "a"}));
  EXPECT_TRUE(eventually([&] { return get("v1", "Pod", {"default", "p1"}).is_null(); }));
}

TEST_F(Cluster, addresses_are_allocated_on_create_and_freed_by_dry_run) {
  start();
  const json service = {{"metadata", {{"name", "web"}, {"namespace", "default"}}},
                        {"spec", {{"clusterIP", "10.96.7.7"}, {"ports", {{{"port", 80}}}}}}};
  ASSERT_TRUE(registry_->create(kind("v1", "Service"), service, {.dry_run = true}));
  EXPECT_EQ(text(create("v1", "Service", service), "spec.clusterIP"), "10.96.7.7");
}

} // namespace
} // namespace sluice::controlplane
