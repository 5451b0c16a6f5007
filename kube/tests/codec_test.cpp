#include "kube/codec.hpp"
#include "kube/service_cidr.hpp"

#include "kube/tests/samples.hpp"

#include <nlohmann/json.hpp>

namespace sluice::kube {
namespace {

using nlohmann::json;
using samples::full;

template <class Object> class Codec : public ::testing::Test {};
using Kinds = ::testing::Types<Namespace, Node, Pod, Service, ServiceAccount, ConfigMap, Event,
                               EndpointSlice, Lease, NetworkPolicy>;
TYPED_TEST_SUITE(Codec, Kinds);

TYPED_TEST(Codec, what_is_encoded_decodes_to_the_same) {
  for (const TypeParam &object : {TypeParam(), full<TypeParam>()}) {
    const std::string text = to_json(object).dump();
    const auto decoded = decode<TypeParam>(text);
    ASSERT_TRUE(decoded) << decoded.error().what();
    EXPECT_TRUE(*decoded == object) << text << "\n" << to_json(*decoded).dump();
  }
}

TYPED_TEST(Codec, the_sample_fills_every_field_that_is_encoded) {
  // Guards the test above: a field that the sample leaves empty would be compared for nothing.
  const json document = to_json(full<TypeParam>());
  EXPECT_GT(document.flatten().size(), to_json(TypeParam()).flatten().size());
}

TYPED_TEST(Codec, every_truncation_is_an_error) {
  const std::string text = to_json(full<TypeParam>()).dump();
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(decode<TypeParam>(std::string_view(text).substr(0, size))) << size;
}

// Every value of the document, one after the other, is replaced by one of another type.
TYPED_TEST(Codec, a_value_of_the_wrong_type_is_refused_with_its_path_or_does_not_matter) {
  const json document = to_json(full<TypeParam>());
  const json flat = document.flatten();
  for (const auto &[pointer, value] : flat.items())
    for (const json &wrong :
         {json("text"), json(1.5), json::array({1}), json::object({{"x", 1}})}) {
      json changed = document;
      changed[json::json_pointer(pointer)] = wrong;
      const auto decoded = decode<TypeParam>(changed.dump());
      if (!decoded) {
        EXPECT_EQ(decoded.error().code(), Errc::invalid_input);
        EXPECT_NE(decoded.error().what().find("must be"), std::string::npos)
            << pointer << ": " << decoded.error().what();
      }
    }
}

TYPED_TEST(Codec, null_is_absent) {
  json document = to_json(full<TypeParam>());
  for (auto &[key, value] : document.items())
    if (key != "kind" && key != "apiVersion")
      value = nullptr;
  const auto decoded = decode<TypeParam>(document.dump());
  ASSERT_TRUE(decoded) << decoded.error().what();
  EXPECT_TRUE(*decoded == TypeParam());
}

TYPED_TEST(Codec, unknown_fields_are_passed_over) {
  json document = to_json(full<TypeParam>());
  document["unknownField"] = {{"a", {1, 2}}};
  document["metadata"]["managedFields"] = json::array({{{"manager", "kubectl"}}});
  const auto decoded = decode<TypeParam>(document.dump());
  ASSERT_TRUE(decoded) << decoded.error().what();
  EXPECT_TRUE(*decoded == full<TypeParam>());
}

TYPED_TEST(Codec, another_kind_is_refused) {
  const auto decoded =
      decode<TypeParam>(R"({"kind":"Status","apiVersion":"v1","status":"Failure"})");
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().what().find("kind: must be"), std::string::npos);
}

template <class Object> std::string error_for(const char *text) {
  const auto decoded = decode<Object>(text);
  return decoded ? "none" : decoded.error().what();
}

TEST(codec, errors_name_the_field) {
  EXPECT_EQ(error_for<Service>(R"({"spec":{"ports":[{"port":1},{"port":"http"}]}})"),
            "decode Service: spec.ports[1].port: must be an integer, found a string");
  EXPECT_EQ(error_for<Pod>(R"({"metadata":{"labels":{"app":5}}})"),
            "decode Pod: metadata.labels.app: must be a string, found a number");
  EXPECT_EQ(error_for<Node>(R"({"kind":"Pod"})"),
            "decode Node: kind: must be \"Node\", found \"Pod\"");
  EXPECT_EQ(error_for<Pod>(R"({"metadata":)"), "decode Pod: not JSON at byte 12");
  EXPECT_EQ(error_for<Pod>("[]"), "decode Pod: the document: must be an object, found a list");
}

TEST(codec, unknown_enumeration_values_take_the_safe_default) {
  const auto service = decode<Service>(R"({"spec":{"type":"Teleport","externalTrafficPolicy":"X",
      "internalTrafficPolicy":"Y","sessionAffinity":"Moon","ipFamilies":["IPv7","IPv6"],
      "ports":[{"port":1,"protocol":"QUIC"},{"port":2,"protocol":"UDP"},{"port":3}]}})");
  ASSERT_TRUE(service) << service.error().what();
  EXPECT_EQ(service->type, ServiceType::ClusterIP);
  EXPECT_EQ(service->externalTrafficPolicy, TrafficPolicy::Cluster);
  EXPECT_EQ(service->internalTrafficPolicy, TrafficPolicy::Cluster);
  EXPECT_FALSE(service->sessionAffinityClientIP);
  EXPECT_EQ(service->ipFamilies, std::vector<Family>{Family::ipv6});
  ASSERT_EQ(service->ports.size(), 2U);
  EXPECT_EQ(service->ports[0].protocol, Protocol::udp);
  EXPECT_EQ(service->ports[1].protocol, Protocol::tcp);
}

TEST(codec, absent_and_null_conditions_and_ports_of_a_slice_stay_absent) {
  const auto slice = decode<EndpointSlice>(R"({"ports":[{"name":null,"port":null},{"name":"",
      "protocol":null,"port":0},{"protocol":"QUIC"}],"endpoints":[{"addresses":null,
      "conditions":{"ready":null,"serving":false}},{"conditions":{}}]})");
  ASSERT_TRUE(slice) << slice.error().what();
  ASSERT_EQ(slice->ports.size(), 2U);
  EXPECT_FALSE(slice->ports[0].name);
  EXPECT_FALSE(slice->ports[0].port);
  EXPECT_EQ(slice->ports[1].name, "");
  EXPECT_FALSE(slice->ports[1].protocol);
  EXPECT_EQ(slice->ports[1].port, 0);
  ASSERT_EQ(slice->endpoints.size(), 2U);
  EXPECT_FALSE(slice->endpoints[0].conditions.ready);
  EXPECT_EQ(slice->endpoints[0].conditions.serving, false);
  EXPECT_TRUE(decode<EndpointSlice>(R"({"ports":null,"endpoints":null})"));
}

TEST(codec, a_policy_with_an_unknown_protocol_is_refused_and_an_empty_selector_is_kept) {
  EXPECT_EQ(error_for<NetworkPolicy>(R"({"spec":{"ingress":[{"ports":[{"protocol":"QUIC"}]}]}})"),
            "decode NetworkPolicy: spec.ingress[0].ports[0].protocol: must be TCP, UDP or SCTP, "
            "found \"QUIC\"");
  const auto policy = decode<NetworkPolicy>(
      R"({"spec":{"ingress":[{"from":[{"podSelector":{}},{"namespaceSelector":null}]}]}})");
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->ingress[0].peers[0].podSelector);
  EXPECT_FALSE(policy->ingress[0].peers[1].namespaceSelector);
}

TEST(codec, old_single_fields_stand_in_for_their_lists) {
  EXPECT_EQ(decode<Node>(R"({"spec":{"podCIDR":"10.0.0.0/24"}})")->podCIDRs,
            std::vector<std::string>{"10.0.0.0/24"});
  EXPECT_EQ(decode<Service>(R"({"spec":{"clusterIP":"None"}})")->clusterIPs,
            std::vector<std::string>{"None"});
  EXPECT_EQ(decode<Pod>(R"({"status":{"podIP":"10.0.0.1"}})")->podIPs,
            std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(decode<Pod>(R"({"status":{"podIP":"a","podIPs":[{"ip":"b"},{"ip":"c"}]}})")->podIPs,
            (std::vector<std::string>{"b", "c"}));
}

TEST(codec, a_probe_that_we_cannot_run_is_as_none) {
  const auto pod = decode<Pod>(R"({"spec":{"containers":[{"name":"c",
      "readinessProbe":{"grpc":{"port":1}},"livenessProbe":{"httpGet":{"port":"web"}}}]}})");
  ASSERT_TRUE(pod);
  EXPECT_FALSE(pod->containers[0].readinessProbe);
  EXPECT_EQ(pod->containers[0].livenessProbe->port.name, "web");
}

TEST(codec, ready_is_the_condition_of_that_name) {
  Pod pod;
  EXPECT_FALSE(is_ready(pod));
  pod.conditions = {{"Initialized", "True"}, {"Ready", "False"}};
  EXPECT_FALSE(is_ready(pod));
  pod.conditions[1].status = "True";
  EXPECT_TRUE(is_ready(pod));
}

TEST(codec, lists_give_their_items_and_go_on_behind_a_bad_one) {
  std::vector<std::string> names, errors;
  const auto head = decode_list<Pod>(
      R"({"kind":"PodList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":[{"deep":1}]}},
          {"spec":{"containers":[{"ports":[{"containerPort":"x"}]}]}},
          {"kind":"Pod","metadata":{"name":"b"}}],"metadata":{"resourceVersion":"7","continue":"c"}})",
      [&](Pod pod) { names.push_back(pod.metadata.name); },
      [&](const Error &error, std::string_view) { errors.push_back(error.what()); });
  ASSERT_TRUE(head) << head.error().what();
  EXPECT_EQ(head->resourceVersion, "7");
  EXPECT_EQ(head->continue_, "c");
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(errors, (std::vector<std::string>{
                        "items[1].metadata.name: must be a string, found a list",
                        "items[2].spec.containers[0].ports[0].containerPort: must be an integer, "
                        "found a string"}));
  EXPECT_FALSE(decode_list<Pod>(R"({"items":[{"metadata":{"name":"a"}},{])", [](Pod) {}));
  EXPECT_TRUE(decode_list<Pod>(R"({"items":null})", [](Pod) {}));
}

TEST(codec, the_head_of_an_object_is_read_alone) {
  const auto head = decode_head(
      R"({"spec":{"name":"not this"},"metadata":{"name":"n","namespace":"s","uid":"u",
          "resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}})");
  ASSERT_TRUE(head) << head.error().what();
  EXPECT_EQ(head->namespace_ + "/" + head->name + "/" + head->uid + "/" + head->resourceVersion,
            "s/n/u/9");
  EXPECT_TRUE(head->initialEventsEnd);
  EXPECT_FALSE(decode_head(R"({"metadata":{"annotations":{"x":"true"}}})")->initialEventsEnd);
}

TEST(codec, events_and_statuses) {
  const auto event = decode_event(R"({"object":{"a":[1]} ,"type":"ADDED"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, "ADDED");
  EXPECT_EQ(event->object, R"({"a":[1]})");
  for (const char *bad : {"", "{}", R"({"type":"ADDED"})", R"({"object":{}})", R"({"type":1})",
                          R"({"type":"ADDED","object":{})"})
    EXPECT_FALSE(decode_event(bad)) << bad;
  const auto status = decode_status(R"({"kind":"Status","code":504,"reason":"Timeout","message":"m",
      "details":{"retryAfterSeconds":3,"causes":[{"reason":"ResourceVersionTooLarge"}]}})");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 504);
  EXPECT_EQ(status->retryAfterSeconds, 3);
  EXPECT_EQ(status->causes, std::vector<std::string>{"ResourceVersionTooLarge"});
}

TEST(Codec, a_service_cidr_is_read) {
  const auto object = decode<ServiceCIDR>(
      R"({"kind":"ServiceCIDR","apiVersion":"networking.k8s.io/v1","metadata":{"name":"kubernetes"},)"
      R"("spec":{"cidrs":["10.96.0.0/16","2001:db8::/108"]},"status":{"conditions":[]}})");
  ASSERT_TRUE(object) << object.error().what();
  EXPECT_EQ(object->metadata.name, "kubernetes");
  EXPECT_EQ(object->cidrs, (std::vector<std::string>{"10.96.0.0/16", "2001:db8::/108"}));
}

} // namespace
} // namespace sluice::kube
