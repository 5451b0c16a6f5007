#include "cli/proxy_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

using nlohmann::json;

TEST(cli_proxy_text, an_explanation_reads_from_the_question_to_the_kernel) {
  const json answer = {
      {"from", "pod \"default/a\""},
      {"flow",
       {{"source", "10.244.1.2"},
        {"destination", "10.96.0.10"},
        {"port", 53},
        {"protocol", "UDP"},
        {"inInterface", "cni0"}}},
      {"model",
       {{"frontend", "10.96.0.10:53/UDP"},
        {"verdict", "translate"},
        {"reasons", {"10.96.0.10:53/UDP is the clusterIP of Service \"kube-system/dns:dns\""}},
        {"source", "a pod of this node"},
        {"list", "cluster"},
        {"listReason", "internalTrafficPolicy is Cluster"},
        {"topology", {{"mode", "none"}, {"reason", "no ready endpoint has a hint"}}},
        {"masqueradeReason", "not masqueraded: the source is a pod"},
        {"backends", {{{"address", "10.244.1.5:53"}}}},
        {"endpoints",
         {{{"address", "10.244.1.5:53"}, {"used", true}, {"local", true}},
          {{"address", "10.244.2.5:53"}, {"used", false}, {"leftOut", "not ready"}}}},
        {"notes", {"mind the gap"}}}},
      {"kernel", {{"objects", {"element ip t frontends { 10.96.0.10 . UDP . 53 }"}}}},
      {"differences", json::array()}};
  EXPECT_EQ(explain_text(answer),
            R"(pod "default/a" (10.244.1.2), in by cni0, -> 10.96.0.10:53/UDP
  service     10.96.0.10:53/UDP is the clusterIP of Service "kube-system/dns:dns"
  source      a pod of this node
  verdict     goes to the one endpoint
  list        cluster: internalTrafficPolicy is Cluster
  topology    none: no ready endpoint has a hint
  source NAT  not masqueraded: the source is a pod
  endpoints   10.244.1.5:53  on this node
  left out    10.244.2.5:53  not ready
  note        mind the gap
  kernel      says the same
              element ip t frontends { 10.96.0.10 . UDP . 53 }
)");
}

TEST(cli_proxy_text, a_kernel_that_differs_is_loud_and_one_that_is_silent_says_why) {
  json answer = {{"model", {{"verdict", "reject"}, {"reasons", {"x", "no endpoint can serve"}}}},
                 {"kernel", json::object()},
                 {"differences", {"verdict: the model says reject, the kernel drop"}}};
  EXPECT_NE(explain_text(answer).find("DIFFERS"), std::string::npos);
  EXPECT_NE(explain_text(answer).find("REJECT (connection refused): no endpoint can serve"),
            std::string::npos);
  answer["kernel"] = {{"error", "no permission"}};
  EXPECT_NE(explain_text(answer).find("cannot be asked: no permission"), std::string::npos);
}

TEST(cli_proxy_text, a_status_names_what_is_wrong) {
  const json answer = {{"version", "v1"},
                       {"node", "n1"},
                       {"mode", "nftables"},
                       {"synced", false},
                       {"nodeKnown", false},
                       {"api", {{"server", "https://x"}, {"connected", false}}},
                       {"families",
                        {{{"family", "IPv4"},
                          {"inStep", false},
                          {"error", "no buffer space"},
                          {"drainingEndpoints",
                           {{{"address", "10.0.0.1:80"}, {"protocol", "TCP"}, {"seconds", 7}}}}}}},
                       {"sysctls",
                        {{{"name", "a"}, {"enough", true}},
                         {{"name", "b"}, {"enough", false}, {"present", 1}, {"wanted", 2}}}},
                       {"warnings", {"unknown field \"x\""}}};
  const auto text = status_text(answer);
  for (const auto *part :
       {"sluice-proxy v1 on node n1, mode nftables", "for the first complete lists",
        "no Node of this name", "does NOT answer", "NOT in step: no buffer space",
        "10.0.0.1:80/TCP left, and drains since 7 s", "b is 1, configured 2",
        "unknown field \"x\""})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find("sysctl      a"), std::string::npos);
}

TEST(cli_proxy_text, the_mode_is_named_with_its_flavour_and_what_still_drains) {
  const json answer = {{"mode", "iptables"},
                       {"layout", "iptables-nft"},
                       {"started", true},
                       {"retiring", {"ipvs, IPv4", "nftables, IPv4"}},
                       {"draining", {"ipvs, IPv4"}}};
  EXPECT_EQ(mode_text(answer),
            "iptables (iptables-nft)\nstill there for open connections: ipvs, IPv4\n");
  EXPECT_EQ(mode_text({{"mode", "ipvs"}, {"layout", "ipvs"}}), "ipvs, not in the kernel yet\n");
  const auto status = status_text(answer);
  EXPECT_NE(status.find("mode iptables (iptables-nft)\n"), std::string::npos) << status;
  EXPECT_NE(status.find("  draining    ipvs, IPv4: open connections"), std::string::npos) << status;
}

TEST(cli_proxy_text, a_dump_has_each_frontend_with_its_endpoints_for_each_source) {
  const json nobody = {{"backends", "0"}, {"whenEmpty", "drop"}, {"masquerade", true}};
  const json answer = {
      {"tables",
       {{{"family", "IPv4"},
         {"backendSets", {{"1", {{{"address", "10.0.0.1:8080"}}, {{"address", "10.0.0.2:8080"}}}}}},
         {"frontends",
          {{{"frontend", "node:30080/TCP"},
            {"kind", "NodePort"},
            {"service", "default/web:http"},
            {"fromPod", {{"backends", "1"}, {"whenEmpty", "drop"}}},
            {"fromNode", {{"backends", "1"}, {"whenEmpty", "drop"}, {"masquerade", true}}},
            {"fromOutside", nobody}}}}}}}};
  EXPECT_EQ(dump_text(answer), R"(IPv4
  node:30080/TCP  NodePort of default/web:http
    pods      10.0.0.1:8080 10.0.0.2:8080
    node      10.0.0.1:8080 10.0.0.2:8080 (masqueraded)
    others    drop
)");
}

TEST(cli_proxy_text, answers_without_the_expected_fields_are_survived) {
  for (const auto &odd : {json::object(), json({{"model", 3}, {"kernel", json::array()}}),
                          json({{"tables", {json::object()}}, {"families", {json::object()}}})}) {
    EXPECT_FALSE(explain_text(odd).empty());
    EXPECT_FALSE(status_text(odd).empty());
    (void)dump_text(odd);
  }
}

} // namespace
} // namespace sluice::cli
