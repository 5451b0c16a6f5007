#include "controlplane/patch/strategic_merge.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

/// Containers as a Pod has them, a set of finalizers, everything else replaced.
ListMerge rules(std::string_view path) {
  using enum ListMerge::Strategy;
  if (path == "spec.containers" || path == "spec.containers.env" || path == "spec.volumes")
    return {merge_map, "name"};
  if (path == "spec.containers.ports")
    return {merge_map, "containerPort"};
  if (path == "metadata.finalizers")
    return {merge_set, ""};
  return {};
}

struct Case {
  const char *name, *target, *patch, *result; // nullptr: refused with `error`
  const char *error;
  int line;
};
const Case kCases[] = {
    {"maps merge, null removes", R"({"a":{"b":1,"c":2}})", R"({"a":{"b":null,"d":3}})",
     R"({"a":{"c":2,"d":3}})", "", __LINE__},
    {"a list without a rule is replaced", R"({"spec":{"args":[1,2]}})", R"({"spec":{"args":[3]}})",
     R"({"spec":{"args":[3]}})", "", __LINE__},
    {"items merge by key, new ones go to the end",
     R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})",
     R"({"spec":{"containers":[{"name":"b","image":"2"},{"name":"c","image":"3"}]}})",
     R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},{"name":"c","image":"3"}]}})",
     "", __LINE__},
    {"keys of nested lists",
     R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"web"}]}]}})",
     R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"http"},{"containerPort":81}]}]}})",
     R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"http"},{"containerPort":81}]}]}})",
     "", __LINE__},
    {"$patch: delete removes an item", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
     R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})",
     R"({"spec":{"containers":[{"name":"b"}]}})", "", __LINE__},
    {"$patch: replace in a list replaces it",
     R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b"}]}})",
     R"({"spec":{"containers":[{"$patch":"replace"},{"name":"a"}]}})",
     R"({"spec":{"containers":[{"name":"a"}]}})", "", __LINE__},
    {"$patch: replace in a map replaces it", R"({"spec":{"a":1,"b":{"c":1}}})",
     R"({"spec":{"$patch":"replace","d":2}})", R"({"spec":{"d":2}})", "", __LINE__},
    {"$patch: delete in a map empties it", R"({"spec":{"a":1}})", R"({"spec":{"$patch":"delete"}})",
     R"({"spec":{}})", "", __LINE__},
    {"$patch: merge is what happens anyway", R"({"spec":{"a":1}})",
     R"({"spec":{"$patch":"merge","b":2}})", R"({"spec":{"a":1,"b":2}})", "", __LINE__},
    {"primitives are a set", R"({"metadata":{"finalizers":["a","b"]}})",
     R"({"metadata":{"finalizers":["b","c"]}})", R"({"metadata":{"finalizers":["a","b","c"]}})", "",
     __LINE__},
    {"$deleteFromPrimitiveList", R"({"metadata":{"finalizers":["a","b"]}})",
     R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["b"]}})",
     R"({"metadata":{"finalizers":["b"]}})", "", __LINE__},
    {"$setElementOrder orders what both have; the server's own item stays where it was",
     R"({"spec":{"containers":[{"name":"a"},{"name":"sidecar"},{"name":"b"}]}})",
     R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a","image":"2"}]}})",
     R"({"spec":{"containers":[{"name":"sidecar"},{"name":"b"},{"name":"a","image":"2"}]}})", "",
     __LINE__},
    {"$setElementOrder places a new item", R"({"spec":{"containers":[{"name":"a"},{"name":"c"}]}})",
     R"({"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"b"},{"name":"c"}],"containers":[{"name":"b"}]}})",
     R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}})", "", __LINE__},
    {"$retainKeys drops the other members", R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
     R"({"spec":{"volumes":[{"$retainKeys":["name","hostPath"],"name":"v","hostPath":{"path":"/x"}}]}})",
     R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}})", "", __LINE__},
    {"a new item leaves its directives and nulls behind", R"({"spec":{}})",
     R"({"spec":{"containers":[{"name":"a","$setElementOrder/env":[{"name":"X"}],"env":[{"name":"X","value":"1"}],"image":null}]}})",
     R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"}]}]}})", "", __LINE__},
    {"what kubectl apply sends for a changed image and a dropped label",
     R"({"metadata":{"name":"web","labels":{"app":"web","old":"1"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"1"}},"spec":{"nodeName":"n1","containers":[{"name":"web","image":"a:1","ports":[{"containerPort":80,"protocol":"TCP"}]}]}})",
     R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"2"},"labels":{"old":null}},"spec":{"$setElementOrder/containers":[{"name":"web"}],"containers":[{"image":"a:2","name":"web"}]}})",
     R"({"metadata":{"name":"web","labels":{"app":"web"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"2"}},"spec":{"nodeName":"n1","containers":[{"name":"web","image":"a:2","ports":[{"containerPort":80,"protocol":"TCP"}]}]}})",
     "", __LINE__},

    {"an item without its key", R"({"spec":{"containers":[]}})",
     R"({"spec":{"containers":[{"image":"x"}]}})", nullptr, "merge key \"name\"", __LINE__},
    {"an unknown directive", R"({"spec":{}})", R"({"spec":{"$patch":"explode"}})", nullptr,
     "unknown directive $patch: explode", __LINE__},
    {"$retainKeys that forgets a member", R"({"spec":{}})",
     R"({"spec":{"$retainKeys":["a"],"b":1}})", nullptr, "must name \"b\"", __LINE__},
    {"no object", R"({})", R"([1])", nullptr, "is a JSON object", __LINE__},
};

TEST(strategic_merge, patches_follow_the_rules_of_the_kind) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto got = strategic_merge_patch(rules, json::parse(c.target), json::parse(c.patch));
    if (c.result == nullptr) {
      ASSERT_FALSE(got) << got->dump();
      EXPECT_NE(got.error().what().find(c.error), std::string::npos) << got.error().what();
      continue;
    }
    ASSERT_TRUE(got) << got.error().what();
    EXPECT_EQ(*got, json::parse(c.result));
  }
}

} // namespace
} // namespace sluice::controlplane
