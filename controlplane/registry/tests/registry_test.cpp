#include "controlplane/registry/tests/test_registry.hpp"

namespace sluice::controlplane {
namespace {

using controlplane_registry = RegistryTest;

constexpr auto kPatience = std::chrono::seconds(10);

template <class Condition> bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(controlplane_registry, a_created_object_has_what_the_server_sets) {
  const auto stored = must_create("ConfigMap", config("a", {{"k", "v"}}));
  const json object = stored->document();
  EXPECT_EQ(object["kind"], "ConfigMap");
  EXPECT_EQ(object["apiVersion"], "v1");
  EXPECT_EQ(object["data"]["k"], "v");
  EXPECT_EQ(object["metadata"]["uid"].get<std::string>().size(), 36U);
  EXPECT_EQ(object["metadata"]["resourceVersion"], std::to_string(stored->resourceVersion));
  EXPECT_EQ(object["metadata"]["creationTimestamp"].get<std::string>().size(), 20U);
  EXPECT_EQ(*registry->get(kind("ConfigMap"), {"default", "a"}), stored);
}

TEST_F(controlplane_registry, a_client_cannot_choose_what_the_server_sets) {
  auto object = config("a");
  object["metadata"]["uid"] = "mine";
  object["metadata"]["creationTimestamp"] = "1970-01-01T00:00:00Z";
  object["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:00Z";
  const json stored = must_create("ConfigMap", object)->document();
  EXPECT_NE(stored["metadata"]["uid"], "mine");
  EXPECT_NE(stored["metadata"]["creationTimestamp"], "1970-01-01T00:00:00Z");
  EXPECT_FALSE(stored["metadata"].contains("deletionTimestamp"));
}

struct Refusal {
  const char *name;
  json object;
  int code;
  const char *reason, *field;
};

TEST_F(controlplane_registry, refuses_with_code_reason_and_field) {
  const auto with = [](json metadata) {
    metadata["namespace"] = "default";
    return json{{"metadata", std::move(metadata)}};
  };
  const Refusal cases[] = {
      {"no name", with(json::object()), 422, "Invalid", "metadata.name"},
      {"bad name", with({{"name", "A_b"}}), 422, "Invalid", "metadata.name"},
      {"bad label", with({{"name", "a"}, {"labels", {{"a b", "c"}}}}), 422, "Invalid",
       "metadata.labels"},
      {"label that is a number", with({{"name", "a"}, {"labels", {{"a", 5}}}}), 400, "BadRequest",
       nullptr},
      {"labels that are a list", with({{"name", "a"}, {"labels", json::array()}}), 400,
       "BadRequest", nullptr},
      {"another kind",
       {{"kind", "Pod"}, {"metadata", {{"name", "a"}}}},
       400,
       "BadRequest",
       nullptr},
      {"no object", json::array(), 400, "BadRequest", nullptr},
      {"no metadata that could hold a name", {{"metadata", 7}}, 400, "BadRequest", nullptr},
      {"a version", with({{"name", "a"}, {"resourceVersion", "5"}}), 400, "BadRequest", nullptr},
      {"a namespace that is not there",
       {{"metadata", {{"name", "a"}, {"namespace", "nowhere"}}}},
       404,
       "NotFound",
       nullptr},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    const auto stored = registry->create(kind("ConfigMap"), c.object);
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, c.code) << stored.error().message;
    EXPECT_EQ(stored.error().reason, c.reason);
    if (c.field) {
      ASSERT_FALSE(stored.error().causes.empty());
      EXPECT_EQ(stored.error().causes[0].field, c.field);
    }
  }
}

TEST_F(controlplane_registry, a_second_object_of_the_same_name_is_refused) {
  must_create("ConfigMap", config("a"));
  const auto again = registry->create(kind("ConfigMap"), config("a"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, 409);
  EXPECT_EQ(again.error().reason, "AlreadyExists");
  EXPECT_EQ(again.error().message, "configmaps \"a\" already exists");
}

TEST_F(controlplane_registry, generated_names_differ) {
  const json object = {{"metadata", {{"generateName", "web-"}, {"namespace", "default"}}}};
  const auto one = must_create("ConfigMap", object), two = must_create("ConfigMap", object);
  EXPECT_EQ(one->key.name.size(), 9U);
  EXPECT_TRUE(one->key.name.starts_with("web-"));
  EXPECT_NE(one->key.name, two->key.name);
}

TEST_F(controlplane_registry, an_update_with_an_old_version_is_a_conflict) {
  json first = must_create("ConfigMap", config("a"))->document();
  json second = first;
  second["data"]["k"] = "2";
  ASSERT_TRUE(registry->update(kind("ConfigMap"), second));
  first["data"]["k"] = "3";
  const auto late = registry->update(kind("ConfigMap"), first);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason, "Conflict");
  first["metadata"].erase("resourceVersion");
  EXPECT_TRUE(registry->update(kind("ConfigMap"), first))
      << "without a version it is unconditional";
}

TEST_F(controlplane_registry, an_update_that_changes_nothing_writes_nothing) {
  const auto stored = must_create("ConfigMap", config("a", {{"k", "v"}}));
  const auto same = registry->update(kind("ConfigMap"), config("a", {{"k", "v"}}));
  ASSERT_TRUE(same);
  EXPECT_EQ(*same, stored);
}

TEST_F(controlplane_registry, status_changes_through_status_only) {
  must_create("Node", {{"metadata", {{"name", "n"}}}});
  const auto set = [](json &node) -> ApiResult<> {
    node["status"]["phase"] = "Running";
    node["spec"]["unschedulable"] = true;
    return {};
  };
  const auto by_main = registry->mutate(kind("Node"), {"", "n"}, set);
  ASSERT_TRUE(by_main);
  EXPECT_FALSE((*by_main)->document()["status"].contains("phase"));
  EXPECT_EQ((*by_main)->document()["spec"]["unschedulable"], true);
  const auto back = [](json &node) -> ApiResult<> {
    node["status"]["phase"] = "Running";
    node["spec"]["unschedulable"] = false;
    return {};
  };
  const auto by_status = registry->mutate(kind("Node"), {"", "n"}, back, {.subresource = "status"});
  ASSERT_TRUE(by_status) << to_text(by_status.error());
  EXPECT_EQ((*by_status)->document()["status"]["phase"], "Running");
  EXPECT_EQ((*by_status)->document()["spec"]["unschedulable"], true);
}

TEST_F(controlplane_registry, concurrent_changes_are_all_kept) {
  must_create("ConfigMap", config("a"));
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([this, i] {
      for (int n = 0; n < 25; ++n) {
        const auto key = std::to_string(i) + "-" + std::to_string(n);
        const auto done =
            registry->mutate(kind("ConfigMap"), {"default", "a"}, [&key](json &map) -> ApiResult<> {
              map["data"][key] = "x";
              return {};
            });
        EXPECT_TRUE(done);
      }
    });
  for (auto &writer : writers)
    writer.join();
  const auto all = registry->get(kind("ConfigMap"), {"default", "a"});
  EXPECT_EQ((*all)->document()["data"].size(), 100U);
}

// ---- deletion ----------------------------------------------------------------------------------

TEST_F(controlplane_registry, deletion_removes_at_once_what_nothing_holds) {
  must_create("ConfigMap", config("a"));
  const auto removed = registry->remove(kind("ConfigMap"), {"default", "a"});
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->removed);
  EXPECT_EQ(registry->get(kind("ConfigMap"), {"default", "a"}).error().reason, "NotFound");
  EXPECT_EQ(registry->remove(kind("ConfigMap"), {"default", "a"}).error().code, 404);
}

TEST_F(controlplane_registry, an_object_with_finalizers_goes_when_the_last_one_is_removed) {
  auto object = config("a");
  object["metadata"]["finalizers"] = {"example.com/hold"};
  must_create("ConfigMap", object);
  const auto removed = registry->remove(kind("ConfigMap"), {"default", "a"});
  ASSERT_TRUE(removed);
  EXPECT_FALSE(removed->removed);
  const json lingering = removed->object->document();
  EXPECT_TRUE(lingering["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(lingering["metadata"]["deletionGracePeriodSeconds"], 0);
  const auto again = registry->remove(kind("ConfigMap"), {"default", "a"});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->removed);
  const auto added =
      registry->mutate(kind("ConfigMap"), {"default", "a"}, [](json &map) -> ApiResult<> {
        map["metadata"]["finalizers"].push_back("example.com/new");
        return {};
      });
  EXPECT_EQ(added.error().reason, "Invalid");
  const auto freed =
      registry->mutate(kind("ConfigMap"), {"default", "a"}, [](json &map) -> ApiResult<> {
        map["metadata"].erase("finalizers");
        return {};
      });
  ASSERT_TRUE(freed);
  EXPECT_FALSE(registry->get(kind("ConfigMap"), {"default", "a"}));
}

TEST_F(controlplane_registry, preconditions_hold_a_deletion_back) {
  const auto stored = must_create("ConfigMap", config("a"));
  DeleteOptions wrong_uid, wrong_version, right;
  wrong_uid.uid = "other";
  wrong_version.resourceVersion = "1";
  right.uid = stored->uid;
  EXPECT_EQ(registry->remove(kind("ConfigMap"), {"default", "a"}, wrong_uid).error().code, 409);
  EXPECT_EQ(registry->remove(kind("ConfigMap"), {"default", "a"}, wrong_version).error().code, 409);
  EXPECT_TRUE(registry->remove(kind("ConfigMap"), {"default", "a"}, right));
}

json pod(const std::string &name) {
  return {{"metadata", {{"name", name}, {"namespace", "default"}}},
          {"spec", {{"nodeName", "n1"}, {"containers", {{{"name", "c"}, {"image", "i"}}}}}}};
}

TEST_F(controlplane_registry, a_bound_pod_is_given_time_and_goes_with_grace_zero) {
  must_create("Pod", pod("p"));
  const auto asked = registry->remove(kind("Pod"), {"default", "p"});
  ASSERT_TRUE(asked);
  EXPECT_FALSE(asked->removed);
  EXPECT_EQ(asked->object->document()["metadata"]["deletionGracePeriodSeconds"], 30);
  DeleteOptions now;
  now.gracePeriodSeconds = 0;
  const auto gone = registry->remove(kind("Pod"), {"default", "p"}, now);
  ASSERT_TRUE(gone);
  EXPECT_TRUE(gone->removed);
}

TEST_F(controlplane_registry, a_namespace_terminates_refuses_new_content_and_goes_when_finalized) {
  must_create("Namespace", {{"metadata", {{"name", "x"}}}});
  const auto asked = registry->remove(kind("Namespace"), {"", "x"});
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->object->document()["status"]["phase"], "Terminating");
  auto object = config("a");
  object["metadata"]["namespace"] = "x";
  const auto refused = registry->create(kind("ConfigMap"), object);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 403);
  EXPECT_EQ(refused.error().causes.at(0).reason, "NamespaceTerminating");
  const auto finalized = registry->mutate(kind("Namespace"), {"", "x"},
                                          [](json &space) -> ApiResult<> {
                                            space["spec"]["finalizers"] = json::array();
                                            return {};
                                          },
                                          {.subresource = "finalize"});
  ASSERT_TRUE(finalized) << to_text(finalized.error());
  EXPECT_FALSE(registry->get(kind("Namespace"), {"", "x"}));
}

TEST_F(controlplane_registry, the_namespaces_of_the_system_stay) {
  EXPECT_EQ(registry->remove(kind("Namespace"), {"", "default"}).error().code, 403);
}

// ---- admission and durability ------------------------------------------------------------------

/// Hands out numbers, as the allocators do.
class Counting final : public Admission {
public:
  ApiResult<> admit(AdmissionRequest &request) override {
    if (request.type->kind != "ConfigMap")
      return {};
    if (request.operation == AdmissionRequest::Operation::remove) {
      --taken;
      return {};
    }
    if (request.object->contains("/refuse"_json_pointer))
      return refuse(bad_request("no"));
    if (request.operation == AdmissionRequest::Operation::create) {
      ++taken;
      (*request.object)["data"]["number"] = std::to_string(taken);
    }
    return {};
  }
  void undo(const AdmissionRequest &request) override {
    if (request.type->kind != "ConfigMap")
      return;
    if (request.operation == AdmissionRequest::Operation::remove)
      ++taken;
    if (request.operation == AdmissionRequest::Operation::create)
      --taken;
  }
  std::atomic<int> taken = 0;
};

TEST_F(controlplane_registry, a_hook_changes_what_is_stored_and_takes_back_what_does_not_happen) {
  Counting hook;
  registry->add_admission(hook);
  EXPECT_EQ(must_create("ConfigMap", config("a"))->document()["data"]["number"], "1");
  const auto dry = registry->create(kind("ConfigMap"), config("b"), {.dry_run = true});
  ASSERT_TRUE(dry);
  EXPECT_EQ((*dry)->document()["data"]["number"], "2");
  EXPECT_EQ(hook.taken, 1);
  EXPECT_FALSE(registry->get(kind("ConfigMap"), {"default", "b"}));
  store->fail_next();
  const auto failed = registry->create(kind("ConfigMap"), config("c"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, 500);
  EXPECT_NE(failed.error().message.find("the disk is full"), std::string::npos);
  EXPECT_EQ(hook.taken, 1);
  EXPECT_TRUE(registry->create(kind("ConfigMap"), config("c"))) << "a later write goes through";
  EXPECT_TRUE(registry->remove(kind("ConfigMap"), {"default", "a"}));
  EXPECT_EQ(hook.taken, 1);
  registry->close(); // before the hook goes
}

TEST_F(controlplane_registry, a_closed_registry_still_reads_and_refuses_writes) {
  must_create("ConfigMap", config("a"));
  registry->close();
  EXPECT_TRUE(registry->get(kind("ConfigMap"), {"default", "a"}));
  EXPECT_EQ(registry->create(kind("ConfigMap"), config("b")).error().code, 503);
  EXPECT_EQ(registry->remove(kind("ConfigMap"), {"default", "a"}).error().code, 503);
}

TEST_F(controlplane_registry, nothing_is_visible_before_it_is_on_disk) {
  store->hold(true);
  std::thread writer([this] { must_create("ConfigMap", config("a")); });
  ASSERT_TRUE(eventually([this] { return store->waiting() == 1; }));
  EXPECT_FALSE(registry->get(kind("ConfigMap"), {"default", "a"}));
  EXPECT_EQ(registry->all(kind("ConfigMap")).size(), 0U);
  store->hold(false);
  writer.join();
  EXPECT_TRUE(registry->get(kind("ConfigMap"), {"default", "a"}));
}

TEST_F(controlplane_registry, a_restart_keeps_objects_and_versions_go_on) {
  const auto before = must_create("ConfigMap", config("a", {{"k", "v"}}));
  must_create("Event", {{"metadata", {{"name", "e"}, {"namespace", "default"}}},
                        {"involvedObject", {{"namespace", "default"}}}});
  open();
  const auto after = registry->get(kind("ConfigMap"), {"default", "a"});
  ASSERT_TRUE(after);
  EXPECT_EQ(*(*after)->bytes, *before->bytes);
  EXPECT_FALSE(registry->get(kind("Event"), {"default", "e"})) << "events live in memory";
  EXPECT_GT(must_create("ConfigMap", config("b"))->resourceVersion, before->resourceVersion);
}

TEST_F(controlplane_registry, events_go_after_their_time) {
  Registry::Options options;
  options.memoryTtl = std::chrono::seconds(0);
  open(options);
  must_create("Event", {{"metadata", {{"name", "e"}, {"namespace", "default"}}},
                        {"involvedObject", {{"namespace", "default"}}}});
  EXPECT_TRUE(eventually([this] { return registry->all(kind("Event")).empty(); }));
  EXPECT_TRUE(registry->get(kind("Namespace"), {"", "default"}));
}

} // namespace
} // namespace sluice::controlplane
