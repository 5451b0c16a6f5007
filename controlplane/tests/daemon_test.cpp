// The whole control plane in this process, over loopback HTTPS.
#include "controlplane/daemon.hpp"
#include "kube/api_client.hpp"
#include "kube/kubeconfig.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

template <class Condition> bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::yield();
  }
  return true;
}

class controlplane_daemon : public testing::Test {
protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "slc-daemon-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    start();
  }
  void TearDown() override {
    client.reset();
    daemon.reset();
    fs::remove_all(folder);
  }

  void start() {
    client.reset();
    daemon.reset();
    Settings settings;
    settings.dataDir = folder;
    settings.listen = {{IpAddress::from_v4(0x7f000001), Port(0)}};
    settings.advertiseAddresses = {*IpAddress::parse("192.0.2.1")};
    settings.serviceCidrs = {*Cidr::parse("10.96.0.0/16"), *Cidr::parse("fd96::/108")};
    settings.clusterCidrs = {*Cidr::parse("10.244.0.0/16"), *Cidr::parse("fd44::/56")};
    auto started = Daemon::start(settings, {});
    ASSERT_TRUE(started) << started.error().what();
    daemon = std::move(*started);
    client = connect([](kube::ClientConfig &) {});
  }

  template <class Change> std::unique_ptr<kube::ApiClient> connect(Change change) {
    auto config = kube::read_kubeconfig(folder / "admin.conf");
    EXPECT_TRUE(config) << config.error().what();
    change(*config);
    auto made = kube::ApiClient::create(std::move(*config));
    EXPECT_TRUE(made) << made.error().what();
    return std::move(*made);
  }

  /// An answer as "<status> <json>".
  struct Reply {
    int status = 0;
    json body;
    std::string contentType;
  };
  Reply send(kube::ApiClient &by, const char *method, const std::string &path,
             const json &body = nullptr, const char *type = "application/json",
             const char *accept = "application/json") {
    kube::HttpRequest request;
    request.method = method;
    request.path = path;
    request.accept = accept;
    if (!body.is_null()) {
      request.body = body.dump();
      request.contentType = type;
    }
    const auto response = by.send(request);
    EXPECT_TRUE(response) << response.error().what();
    if (!response)
      return {};
    return {response->status, json::parse(response->body, nullptr, false), response->contentType};
  }
  Reply send(const char *method, const std::string &path, const json &body = nullptr,
             const char *type = "application/json", const char *accept = "application/json") {
    return send(*client, method, path, body, type, accept);
  }

  fs::path folder;
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<kube::ApiClient> client;
};

const std::string kMaps = "/api/v1/namespaces/default/configmaps";

TEST_F(controlplane_daemon, a_new_cluster_has_its_namespaces_and_the_kubernetes_service) {
  for (const char *name : {"default", "kube-system", "kube-public", "kube-node-lease"})
    EXPECT_EQ(send("GET", std::string("/api/v1/namespaces/") + name).status, 200) << name;
  const auto service = send("GET", "/api/v1/namespaces/default/services/kubernetes");
  EXPECT_EQ(service.body["spec"]["clusterIPs"], json({"10.96.0.1", "fd96::1"}));
  const auto slice =
      send("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes");
  EXPECT_EQ(slice.body["endpoints"][0]["addresses"][0], "192.0.2.1");
  EXPECT_EQ(slice.body["ports"][0]["port"], daemon->addresses()[0].port.value);
  const auto range = send("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes");
  EXPECT_EQ(range.body["spec"]["cidrs"], json({"10.96.0.0/16", "fd96::/108"})) << range.body;
  EXPECT_EQ(send("DELETE", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes").status, 405);
}

TEST_F(controlplane_daemon, objects_come_and_go_with_the_right_statuses) {
  const json map = {{"metadata", {{"name", "a"}}}, {"data", {{"k", "v"}}}};
  EXPECT_EQ(send("POST", kMaps, map).status, 201);
  const auto twice = send("POST", kMaps, map);
  EXPECT_EQ(twice.status, 409);
  EXPECT_EQ(twice.body["kind"], "Status");
  EXPECT_EQ(twice.body["reason"], "AlreadyExists");
  EXPECT_EQ(twice.body["details"], json({{"name", "a"}, {"kind", "configmaps"}}));
  EXPECT_EQ(send("GET", kMaps + "/a").body["data"]["k"], "v");
  const auto patched = send("PATCH", kMaps + "/a", {{"data", {{"k", nullptr}, {"l", "w"}}}},
                            "application/merge-patch+json");
  EXPECT_EQ(patched.status, 200);
  EXPECT_EQ(patched.body["data"], json({{"l", "w"}}));
  const auto deleted = send("DELETE", kMaps + "/a");
  EXPECT_EQ(deleted.status, 200);
  EXPECT_EQ(deleted.body["status"], "Success");
  EXPECT_EQ(deleted.body["details"]["uid"], patched.body["metadata"]["uid"]);
  const auto missing = send("GET", kMaps + "/a");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body["message"], "configmaps \"a\" not found");
}

TEST_F(controlplane_daemon, the_controllers_are_at_work) {
  const std::string space = "/api/v1/namespaces/default/";
  const auto there = [&](const char *name) {
    return eventually([&] { return send("GET", space + name).status == 200; });
  };
  EXPECT_TRUE(there("serviceaccounts/default"));
  EXPECT_TRUE(there("configmaps/kube-root-ca.crt"));
  const json service = {{"metadata", {{"name", "s"}}}, {"spec", {{"ports", {{{"port", 80}}}}}}};
  const auto made = send("POST", space + "services", service).body;
  EXPECT_TRUE(made["spec"]["clusterIP"].get<std::string>().starts_with("10.96.")) << made;
  ASSERT_EQ(send("POST", "/api/v1/nodes", {{"metadata", {{"name", "n1"}}}}).status, 201);
  EXPECT_TRUE(eventually([&] {
    return send("GET", "/api/v1/nodes/n1").body["spec"].value("podCIDR", "") == "10.244.0.0/24";
  }));
}

struct Refusal {
  const char *name, *method;
  std::string path;
  json body;
  const char *type;
  int status;
  const char *reason;
};

TEST_F(controlplane_daemon, bad_requests_get_a_status_that_says_why) {
  const std::string services = "/api/v1/namespaces/default/services";
  const json bad_port = {{"metadata", {{"name", "s"}}}, {"spec", {{"ports", {{{"port", 0}}}}}}};
  const json bogus = {{"metadata", {{"name", "s"}}},
                      {"spec", {{"ports", {{{"port", 1}}}}, {"bogus", 1}}}};
  const char *plain = "application/json";
  const Refusal cases[] = {
      {"invalid field", "POST", services, bad_port, plain, 422, "Invalid"},
      {"unknown field", "POST", services + "?fieldValidation=Strict", bogus, plain, 400,
       "BadRequest"},
      {"another namespace",
       "POST",
       kMaps,
       {{"metadata", {{"name", "a"}, {"namespace", "kube-system"}}}},
       plain,
       400,
       "BadRequest"},
      {"missing namespace",
       "POST",
       "/api/v1/namespaces/nowhere/configmaps",
       {{"metadata", {{"name", "a"}}}},
       plain,
       404,
       "NotFound"},
      {"body type", "POST", kMaps, json::object(), "text/plain", 415, "UnsupportedMediaType"},
      {"no patch type", "PATCH", kMaps + "/kube", json::object(), plain, 415,
       "UnsupportedMediaType"},
      {"server-side apply", "PATCH", kMaps + "/kube", json::object(),
       "application/apply-patch+yaml", 415, "UnsupportedMediaType"},
      {"method", "POST", kMaps + "/a", json::object(), plain, 405, "MethodNotAllowed"},
      {"dry run", "POST", kMaps + "?dryRun=Some", json::object(), plain, 422, "Invalid"},
      {"field selector", "GET", kMaps + "?fieldSelector=data.x%3D1", nullptr, plain, 400,
       "BadRequest"},
      {"label selector", "GET", kMaps + "?labelSelector=%3Da", nullptr, plain, 400, "BadRequest"},
      {"the default namespace", "DELETE", "/api/v1/namespaces/default", nullptr, plain, 403,
       "Forbidden"},
      {"a body that is a list", "POST", kMaps, json::array(), plain, 400, "BadRequest"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    const auto reply = send(c.method, c.path, c.body, c.type);
    EXPECT_EQ(reply.status, c.status) << reply.body.dump();
    ASSERT_TRUE(reply.body.is_object());
    EXPECT_EQ(reply.body["kind"], "Status");
    EXPECT_EQ(reply.body["reason"], c.reason);
    EXPECT_EQ(reply.body["code"], c.status);
  }
  const auto invalid = send("POST", services, bad_port);
  EXPECT_EQ(invalid.body["details"]["causes"][0]["field"], "spec.ports[0].port");
  EXPECT_EQ(send("GET", "/apis/apps/v1/deployments").status, 404);
  EXPECT_EQ(send("GET", kMaps, nullptr, plain, "text/html").status, 406);
}

TEST_F(controlplane_daemon, a_dry_run_answers_and_leaves_nothing) {
  const auto reply = send("POST", kMaps + "?dryRun=All", {{"metadata", {{"name", "a"}}}});
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(send("GET", kMaps + "/a").status, 404);
}

TEST_F(controlplane_daemon, discovery_answers_in_the_form_that_was_asked_for) {
  const auto v2 = send("GET", "/apis", nullptr, "",
                       "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(v2.contentType, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(v2.body["kind"], "APIGroupDiscoveryList");
  EXPECT_EQ(send("GET", "/apis").body["kind"], "APIGroupList");
  EXPECT_EQ(send("GET", "/version").body["gitVersion"], "v1.32.0+sluice");
}

TEST_F(controlplane_daemon, a_pod_is_bound_once_and_evicted) {
  const std::string pods = "/api/v1/namespaces/default/pods";
  const json pod = {
      {"metadata", {{"name", "p"}}},
      {"spec", {{"schedulerName", "nobody"}, {"containers", {{{"name", "c"}, {"image", "i"}}}}}}};
  ASSERT_EQ(send("POST", pods, pod).status, 201);
  const json binding = {{"kind", "Binding"},
                        {"metadata", {{"name", "p"}}},
                        {"target", {{"kind", "Node"}, {"name", "n1"}}}};
  EXPECT_EQ(send("POST", pods + "/p/binding", binding).status, 201);
  EXPECT_EQ(send("GET", pods + "/p").body["spec"]["nodeName"], "n1");
  EXPECT_EQ(send("POST", pods + "/p/binding", binding).status, 409);
  EXPECT_EQ(send("POST", pods + "/p/eviction", {{"metadata", {{"name", "p"}}}}).status, 201);
  EXPECT_TRUE(send("GET", pods + "/p").body["metadata"].contains("deletionTimestamp"));
}

TEST_F(controlplane_daemon,
       a_service_account_token_opens_what_it_should_and_dies_with_the_account) {
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  ASSERT_EQ(send("POST", accounts, {{"metadata", {{"name", "robot"}}}}).status, 201);
  const auto token = send("POST", accounts + "/robot/token", {{"spec", json::object()}});
  ASSERT_EQ(token.status, 201);
  EXPECT_EQ(send("POST", accounts + "/robot/token", {{"spec", {{"expirationSeconds", 60}}}}).status,
            422);
  const auto robot = connect([&token](kube::ClientConfig &config) {
    config.clientCertificate = config.clientKey = {};
    config.token = token.body["status"]["token"];
  });
  EXPECT_EQ(send(*robot, "GET", "/api/v1/services").status, 200);
  const auto refused = send(*robot, "POST", kMaps, {{"metadata", {{"name", "a"}}}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body["message"],
            "configmaps is forbidden: User \"system:serviceaccount:default:robot\" cannot create "
            "resource \"configmaps\" in API group \"\" in the namespace \"default\"");
  EXPECT_EQ(send("DELETE", accounts + "/robot").status, 200);
  EXPECT_EQ(send(*robot, "GET", "/api/v1/services").status, 401);
}

TEST_F(controlplane_daemon, nobody_sees_health_only) {
  const auto nobody =
      connect([](kube::ClientConfig &config) { config.clientCertificate = config.clientKey = {}; });
  EXPECT_EQ(send(*nobody, "GET", "/readyz").status, 200);
  const auto refused = send(*nobody, "GET", "/api");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body["message"],
            "forbidden: User \"system:anonymous\" cannot get path \"/api\"");
}

TEST_F(controlplane_daemon, a_watch_streams_changes_and_ends_properly_when_the_server_stops) {
  std::vector<json> events;
  std::string buffer;
  kube::ApiClient::Stream stream;
  stream.path = kMaps + "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                        "&allowWatchBookmarks=true&labelSelector=mine";
  stream.on_status = [](const kube::HttpResponse &head) { return head.status == 200; };
  const auto map = [](const char *name) {
    return json{{"metadata", {{"name", name}, {"labels", {{"mine", "1"}}}}}};
  };
  const auto other = connect([](kube::ClientConfig &) {});
  std::thread stopper;
  stream.on_data = [&](std::string_view bytes) {
    buffer += bytes;
    for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
      events.push_back(json::parse(buffer.substr(0, end)));
      buffer.erase(0, end + 1);
      if (events.back()["type"] == "BOOKMARK")
        EXPECT_EQ(send(*other, "POST", kMaps, map("b")).status, 201);
      else if (events.size() == 3)
        stopper = std::thread([this] { daemon.reset(); });
    }
    return true;
  };
  ASSERT_EQ(send("POST", kMaps, map("a")).status, 201);
  const auto ended = client->stream(stream);
  EXPECT_TRUE(ended) << ended.error().what();
  ASSERT_TRUE(stopper.joinable());
  stopper.join();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0]["object"]["metadata"]["name"], "a");
  EXPECT_EQ(events[1]["type"], "BOOKMARK");
  EXPECT_EQ(events[2]["type"], "ADDED");
  EXPECT_EQ(events[2]["object"]["metadata"]["name"], "b");
}

TEST_F(controlplane_daemon, a_restart_keeps_everything) {
  ASSERT_EQ(send("POST", kMaps, {{"metadata", {{"name", "a"}}}, {"data", {{"k", "v"}}}}).status,
            201);
  const auto before = send("GET", kMaps + "/a").body;
  const auto service = send("GET", "/api/v1/namespaces/default/services/kubernetes").body;
  start();
  EXPECT_EQ(send("GET", kMaps + "/a").body, before);
  EXPECT_EQ(send("GET", "/api/v1/namespaces/default/services/kubernetes").body["metadata"]["uid"],
            service["metadata"]["uid"]);
}

TEST_F(controlplane_daemon, a_second_one_on_the_same_folder_is_refused) {
  Settings settings;
  settings.dataDir = folder;
  settings.listen = {{IpAddress::from_v4(0x7f000001), Port(0)}};
  settings.serviceCidrs = {*Cidr::parse("10.96.0.0/16")};
  const auto second = Daemon::start(settings, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::busy) << second.error().what();
}

} // namespace
} // namespace sluice::controlplane
