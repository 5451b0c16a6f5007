#include "controlplane/resources/access.hpp"
#include "controlplane/resources/printing.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

TEST(resources_table, ages_are_rounded_as_kubectl_rounds_them) {
  struct Case {
    std::int64_t seconds;
    const char *text;
    int line;
  };
  const Case cases[] = {{-5, "<invalid>", __LINE__},      {0, "0s", __LINE__},
                        {119, "119s", __LINE__},          {120, "2m", __LINE__},
                        {200, "3m20s", __LINE__},         {600, "10m", __LINE__},
                        {3 * 3600, "3h", __LINE__},       {3 * 3600 + 120, "3h2m", __LINE__},
                        {9 * 3600 + 120, "9h", __LINE__}, {50 * 3600, "2d2h", __LINE__},
                        {240 * 3600, "10d", __LINE__},    {800L * 86400, "2y70d", __LINE__}};
  for (const auto &c : cases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    EXPECT_EQ(human_duration(std::chrono::seconds(c.seconds)), c.text);
  }
}

TEST(resources_table, times_read_what_they_write) {
  const auto time = parse_time("2026-11-21T08:30:00.250001Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_time(*time), "2026-11-21T08:30:00Z");
  EXPECT_EQ(format_micro_time(*time), "2026-11-21T08:30:00.250001Z");
  EXPECT_EQ(parse_time("2026-11-21T09:30:00+01:00"), parse_time("2026-11-21T08:30:00Z"));
  for (const auto *bad :
       {"", "yesterday", "2026-13-01T00:00:00Z", "2026-11-21T08:30:00", "2026-11-21 08:30"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

struct Case {
  const char *name, *apiVersion, *kind, *object, *cells;
  int line;
};
/// All were created five minutes before `now`.
const Case kCases[] = {
    {"a running pod", "v1", "Pod",
     R"({"metadata":{"name":"web"},"spec":{"nodeName":"n1","containers":[{},{}]},"status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}],
         "containerStatuses":[{"ready":true,"state":{"running":{}},"restartCount":1},{"ready":false,"state":{"running":{}},"restartCount":2}]}})",
     R"(["web","1/2","Running","3","5m","10.0.0.1","n1","<none>","<none>"])", __LINE__},
    {"a pod that nobody took yet", "v1", "Pod",
     R"({"metadata":{"name":"web"},"spec":{"containers":[{}]},"status":{"phase":"Pending"}})",
     R"(["web","0/1","Pending","0","5m","<none>","<none>","<none>","<none>"])", __LINE__},
    {"a crashing pod says when", "v1", "Pod",
     R"({"metadata":{"name":"web"},"spec":{"containers":[{}]},"status":{"phase":"Running","containerStatuses":[{"restartCount":2,
         "state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"finishedAt":"2026-01-01T00:04:30Z"}}}]}})",
     R"j(["web","0/1","CrashLoopBackOff","2 (30s ago)","5m","<none>","<none>","<none>","<none>"])j",
     __LINE__},
    {"a pod that is going", "v1", "Pod",
     R"({"metadata":{"name":"web","deletionTimestamp":"2026-01-01T00:05:00Z"},"spec":{"containers":[{}]},"status":{"phase":"Running"}})",
     R"(["web","0/1","Terminating","0","5m","<none>","<none>","<none>","<none>"])", __LINE__},
    {"a pod that ended", "v1", "Pod",
     R"({"metadata":{"name":"web"},"spec":{"containers":[{}]},"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":3}}}]}})",
     R"(["web","0/1","ExitCode:3","0","5m","<none>","<none>","<none>","<none>"])", __LINE__},
    {"a pod in its first init container", "v1", "Pod",
     R"({"metadata":{"name":"web"},"spec":{"containers":[{}],"initContainers":[{},{}]},"status":{"phase":"Pending","initContainerStatuses":[{"state":{"running":{}}}]}})",
     R"(["web","0/1","Init:0/2","0","5m","<none>","<none>","<none>","<none>"])", __LINE__},
    {"a ClusterIP service", "v1", "Service",
     R"({"metadata":{"name":"web"},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.9","selector":{"app":"web","tier":"1"},"ports":[{"port":80,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})",
     R"(["web","ClusterIP","10.96.0.9","<none>","80/TCP,53/UDP","5m","app=web,tier=1"])", __LINE__},
    {"a NodePort service with an external address", "v1", "Service",
     R"({"metadata":{"name":"web"},"spec":{"type":"NodePort","clusterIP":"10.96.0.9","externalIPs":["192.0.2.1"],"ports":[{"port":80,"protocol":"TCP","nodePort":30080}]}})",
     R"(["web","NodePort","10.96.0.9","192.0.2.1","80:30080/TCP","5m","<none>"])", __LINE__},
    {"a load balancer that waits", "v1", "Service",
     R"({"metadata":{"name":"web"},"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.9","ports":[]}})",
     R"(["web","LoadBalancer","10.96.0.9","<pending>","<none>","5m","<none>"])", __LINE__},
    {"an external name", "v1", "Service",
     R"({"metadata":{"name":"web"},"spec":{"type":"ExternalName","externalName":"example.com"}})",
     R"(["web","ExternalName","<none>","example.com","<none>","5m","<none>"])", __LINE__},
    {"a node", "v1", "Node",
     R"({"metadata":{"name":"n1","labels":{"node-role.kubernetes.io/worker":""}},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],"addresses":[{"type":"InternalIP","address":"192.0.2.7"}],"nodeInfo":{"kubeletVersion":"v1"}}})",
     R"(["n1","Ready,SchedulingDisabled","worker","5m","v1","192.0.2.7","<none>","<unknown>","<unknown>","<unknown>"])",
     __LINE__},
    {"a slice", "discovery.k8s.io/v1", "EndpointSlice",
     R"({"metadata":{"name":"web-1"},"addressType":"IPv4","ports":[{"port":80},{"port":81}],"endpoints":[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.3"]},{"addresses":["10.0.0.4"]}]})",
     R"(["web-1","IPv4","80,81","10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...","5m"])", __LINE__},
    {"an empty slice", "discovery.k8s.io/v1", "EndpointSlice",
     R"({"metadata":{"name":"web-1"},"addressType":"IPv4","endpoints":[]})",
     R"(["web-1","IPv4","<unset>","<unset>","5m"])", __LINE__},
    {"endpoints", "v1", "Endpoints",
     R"({"metadata":{"name":"web"},"subsets":[{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80}]}]})",
     R"(["web","10.0.0.1:80","5m"])", __LINE__},
    {"a policy", "networking.k8s.io/v1", "NetworkPolicy",
     R"({"metadata":{"name":"p"},"spec":{"podSelector":{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"a","operator":"In","values":["b","c"]}]}}})",
     R"j(["p","app=web,a in (b,c)","5m"])j", __LINE__},
    {"a namespace", "v1", "Namespace", R"({"metadata":{"name":"n"},"status":{"phase":"Active"}})",
     R"(["n","Active","5m"])", __LINE__},
    {"a config map", "v1", "ConfigMap",
     R"({"metadata":{"name":"c"},"data":{"a":"1"},"binaryData":{"b":""}})", R"(["c",2,"5m"])",
     __LINE__},
    {"a lease", "coordination.k8s.io/v1", "Lease",
     R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"me"}})", R"(["l","me","5m"])", __LINE__},
    {"an event", "v1", "Event",
     R"({"metadata":{"name":"e"},"type":"Warning","reason":"Failed","message":"it did","count":3,"lastTimestamp":"2026-01-01T00:04:55Z","firstTimestamp":"2026-01-01T00:03:00Z","source":{"component":"scheduler"},"involvedObject":{"kind":"Pod","name":"web"}})",
     R"(["5s","Warning","Failed","pod/web","","scheduler","it did","2m","3","e"])", __LINE__},
};

TEST(resources_table, cells_look_as_in_kubectl_get) {
  const auto now = *parse_time("2026-01-01T00:05:00Z");
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto *type = find_by_kind(c.apiVersion, c.kind);
    ASSERT_NE(type, nullptr);
    auto object = json::parse(c.object);
    object["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z";
    EXPECT_EQ(type->cells(object, now), json::parse(c.cells));
    EXPECT_EQ(type->columns.size(), json::parse(c.cells).size());
  }
}

} // namespace
} // namespace sluice::controlplane
