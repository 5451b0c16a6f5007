#include "controlplane/controllers/service_allocator.hpp"

#include "controlplane/resources/access.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

using Operation = AdmissionRequest::Operation;

struct Allocator : testing::Test {
  ServiceAllocator allocator{{{*Cidr::parse("10.96.0.0/24"), *Cidr::parse("fd00:96::/112")}, {}},
                             7};
  const ResourceType &type = *find_by_kind("v1", "Service");

  AdmissionRequest request(json *object, const json *old) {
    const auto operation = object == nullptr ? Operation::remove
                           : old == nullptr  ? Operation::create
                                             : Operation::update;
    return {operation, &type, {"default", "web"}, "", object, old, false};
  }
  json created(const char *spec) {
    json object = {{"metadata", {{"name", "web"}}}, {"spec", json::parse(spec)}};
    type.set_defaults(object);
    type.prepare_for_create(object);
    auto creation = request(&object, nullptr);
    const auto admitted = allocator.admit(creation);
    EXPECT_TRUE(admitted) << admitted.error().message;
    return object;
  }
  std::string refused(const char *spec) {
    json object = {{"metadata", {{"name", "web"}}}, {"spec", json::parse(spec)}};
    type.set_defaults(object);
    type.prepare_for_create(object);
    auto creation = request(&object, nullptr);
    const auto admitted = allocator.admit(creation);
    if (admitted)
      return "";
    EXPECT_EQ(admitted.error().code, 422);
    return admitted.error().causes.at(0).field + ": " + admitted.error().causes.at(0).message;
  }
};

TEST_F(Allocator, a_service_gets_an_address_and_the_families_it_asks_for) {
  const auto single = created(R"({"ports":[{"port":80}]})");
  EXPECT_EQ(single["spec"]["clusterIPs"].size(), 1U);
  EXPECT_EQ(single["spec"]["clusterIP"], single["spec"]["clusterIPs"][0]);
  EXPECT_EQ(single["spec"]["ipFamilyPolicy"], "SingleStack");
  const auto dual = created(R"({"ipFamilyPolicy":"PreferDualStack","ports":[{"port":80}]})");
  ASSERT_EQ(dual["spec"]["clusterIPs"].size(), 2U);
  EXPECT_EQ(dual["spec"]["clusterIPs"][1].get<std::string>().rfind("fd00:96::", 0), 0U);
  const auto headless = created(R"({"clusterIP":"None","selector":{"a":"b"}})");
  EXPECT_EQ(headless["spec"]["clusterIPs"], json::parse(R"(["None"])"));
  const auto external = created(R"({"type":"ExternalName","externalName":"a.b"})");
  EXPECT_FALSE(external["spec"].contains("clusterIPs"));
}

TEST_F(Allocator, an_address_of_ones_own_must_be_free_and_in_range) {
  created(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})");
  EXPECT_EQ(
      refused(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})"),
      R"(spec.clusterIPs: Invalid value: ["10.96.0.9"]: failed to allocate IP 10.96.0.9: provided IP is already allocated)");
  EXPECT_EQ(
      refused(R"({"clusterIP":"10.97.0.9","ports":[{"port":80}]})")
          .rfind(
              R"(spec.clusterIPs: Invalid value: ["10.97.0.9"]: failed to allocate IP 10.97.0.9: the provided IP (10.97.0.9) is not in the valid range)",
              0),
      0U);
}

TEST_F(Allocator, node_ports_are_given_once_but_for_both_protocols_of_one_service) {
  const auto service =
      created(R"({"type":"NodePort","ports":[{"name":"a","port":53},{"name":"b","port":80}]})");
  EXPECT_NE(number(service["spec"]["ports"][0], "nodePort"), 0);
  EXPECT_NE(service["spec"]["ports"][0]["nodePort"], service["spec"]["ports"][1]["nodePort"]);
  created(
      R"({"type":"NodePort","ports":[{"name":"a","port":53,"nodePort":30053},{"name":"b","port":53,"protocol":"UDP","nodePort":30053}]})");
  EXPECT_EQ(refused(R"({"type":"NodePort","ports":[{"port":80,"nodePort":30053}]})"),
            "spec.ports[0].nodePort: Invalid value: 30053: provided port is already allocated");
  EXPECT_EQ(
      refused(R"({"type":"NodePort","ports":[{"port":80,"nodePort":80}]})"),
      "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767");
  const auto balancer =
      created(R"({"type":"LoadBalancer","externalTrafficPolicy":"Local","ports":[{"port":80}]})");
  EXPECT_NE(number(balancer, "spec.healthCheckNodePort"), 0);
}

TEST_F(Allocator, a_refused_service_takes_nothing) {
  EXPECT_NE(
      refused(R"({"type":"NodePort","clusterIP":"10.96.0.9","ports":[{"port":80,"nodePort":80}]})"),
      "");
  created(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})");
}

TEST_F(Allocator, what_a_service_leaves_is_free_again) {
  const auto service = created(
      R"({"clusterIP":"10.96.0.9","type":"NodePort","ports":[{"port":80,"nodePort":30053}]})");
  auto external = service;
  external["spec"] = {{"type", "ExternalName"}, {"externalName", "a.b"}};
  auto update = request(&external, &service);
  ASSERT_TRUE(allocator.admit(update));
  const auto next = created(
      R"({"clusterIP":"10.96.0.9","type":"NodePort","ports":[{"port":80,"nodePort":30053}]})");
  auto removal = request(nullptr, &next);
  ASSERT_TRUE(allocator.admit(removal));
  created(R"({"clusterIP":"10.96.0.9","type":"NodePort","ports":[{"port":80,"nodePort":30053}]})");
}

TEST_F(Allocator, undo_is_the_opposite_of_admit) {
  json object = created(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})");
  auto creation = request(&object, nullptr);
  allocator.undo(creation);
  const auto again = created(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})");
  auto removal = request(nullptr, &again);
  ASSERT_TRUE(allocator.admit(removal));
  allocator.undo(removal);
  EXPECT_NE(refused(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})"), "");
}

TEST_F(Allocator, a_second_stack_comes_and_goes_with_the_policy) {
  const auto single = created(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})");
  auto dual = single;
  dual["spec"]["ipFamilyPolicy"] = "RequireDualStack";
  auto upgrade = request(&dual, &single);
  ASSERT_TRUE(allocator.admit(upgrade));
  ASSERT_EQ(dual["spec"]["clusterIPs"].size(), 2U);
  auto back = dual;
  back["spec"]["ipFamilyPolicy"] = "SingleStack";
  auto downgrade = request(&back, &dual);
  ASSERT_TRUE(allocator.admit(downgrade));
  EXPECT_EQ(back["spec"]["clusterIPs"], single["spec"]["clusterIPs"]);
}

TEST_F(Allocator, a_restart_knows_what_was_given_and_says_what_does_not_fit) {
  EXPECT_TRUE(allocator
                  .adopt(json::parse(
                      R"({"spec":{"clusterIPs":["10.96.0.9"],"ports":[{"nodePort":30053}]}})"))
                  .empty());
  EXPECT_NE(refused(R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})"), "");
  EXPECT_EQ(
      allocator.adopt(json::parse(R"({"spec":{"clusterIPs":["10.96.0.9","192.0.2.1"]}})")).size(),
      2U);
}

} // namespace
} // namespace sluice::controlplane
