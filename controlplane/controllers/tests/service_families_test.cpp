#include "controlplane/controllers/service_families.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

const std::vector<Family> kV4 = {Family::ipv4};
const std::vector<Family> kDual = {Family::ipv4, Family::ipv6};

struct Case {
  const char *name;
  const std::vector<Family> &cluster;
  const char *spec, *old_spec, *families, *policy, *error;
  int line;
};
const Case kCases[] = {
    {"one family is the usual", kDual, R"({"type":"ClusterIP"})", nullptr, R"(["IPv4"])",
     "SingleStack", "", __LINE__},
    {"PreferDualStack takes what there is", kV4, R"({"ipFamilyPolicy":"PreferDualStack"})", nullptr,
     R"(["IPv4"])", "PreferDualStack", "", __LINE__},
    {"PreferDualStack takes both", kDual, R"({"ipFamilyPolicy":"PreferDualStack"})", nullptr,
     R"(["IPv4","IPv6"])", "PreferDualStack", "", __LINE__},
    {"the named family comes first", kDual,
     R"({"ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv6"]})", nullptr,
     R"(["IPv6","IPv4"])", "RequireDualStack", "", __LINE__},
    {"RequireDualStack needs both", kV4, R"({"ipFamilyPolicy":"RequireDualStack"})", nullptr,
     R"(["IPv4"])", "RequireDualStack",
     "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
     __LINE__},
    {"two addresses mean two families", kDual,
     R"({"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1","fd00::1"]})", nullptr,
     R"(["IPv4","IPv6"])", "RequireDualStack", "", __LINE__},
    {"the address names the family", kDual, R"({"clusterIP":"fd00::1","clusterIPs":["fd00::1"]})",
     nullptr, R"(["IPv6"])", "SingleStack", "", __LINE__},
    {"address and family must agree", kDual,
     R"({"clusterIP":"fd00::1","clusterIPs":["fd00::1"],"ipFamilies":["IPv4"]})", nullptr,
     R"(["IPv4"])", "SingleStack",
     "spec.clusterIPs[0]: Invalid value: \"fd00::1\": expected an IPv4 value as indicated by `ipFamilies[0]`",
     __LINE__},
    {"a family that the cluster lacks", kV4, R"({"ipFamilies":["IPv6"]})", nullptr, R"(["IPv6"])",
     "SingleStack", "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
     __LINE__},
    {"headless without a selector is open to both", kV4,
     R"({"clusterIP":"None","clusterIPs":["None"]})", nullptr, R"(["IPv4","IPv6"])",
     "RequireDualStack", "", __LINE__},
    {"headless with a selector is as any other", kDual,
     R"({"clusterIP":"None","clusterIPs":["None"],"selector":{"a":"b"}})", nullptr, R"(["IPv4"])",
     "SingleStack", "", __LINE__},
    {"one stack for two families is a contradiction", kDual,
     R"({"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4","IPv6"]})", nullptr,
     R"(["IPv4","IPv6"])", "SingleStack",
     "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be", __LINE__},
    {"from two stacks to one", kDual,
     R"({"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4","IPv6"],"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1","fd00::1"]})",
     R"({"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.0.0.1","fd00::1"]})",
     R"(["IPv4"])", "SingleStack", "", __LINE__},
};

TEST(controllers_service_families, families_follow_the_client_and_the_cluster) {
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    auto spec = json::parse(c.spec);
    const json old_spec = c.old_spec != nullptr ? json::parse(c.old_spec) : json();
    const auto errors =
        default_service_families(spec, c.old_spec != nullptr ? &old_spec : nullptr, c.cluster);
    EXPECT_EQ(spec["ipFamilies"], json::parse(c.families));
    EXPECT_EQ(spec["ipFamilyPolicy"], c.policy);
    const auto first = errors.empty() ? "" : errors[0].field + ": " + errors[0].message;
    EXPECT_EQ(first.rfind(c.error, 0), 0U) << first;
    EXPECT_EQ(errors.empty(), *c.error == '\0') << first;
  }
}

TEST(controllers_service_families, an_external_name_has_none) {
  auto spec = json::parse(R"({"type":"ExternalName"})");
  EXPECT_TRUE(default_service_families(spec, nullptr, kDual).empty());
  EXPECT_EQ(spec, json::parse(R"({"type":"ExternalName"})"));
}

} // namespace
} // namespace sluice::controlplane
