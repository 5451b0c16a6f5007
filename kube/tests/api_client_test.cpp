#include "kube/api_client.hpp"

#include "kube/http/server.hpp"
#include "kube/http/tests/raw_client.hpp"
#include "kube/testing/pki.hpp"
#include "net/mailbox.hpp"

#include <atomic>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nlohmann/json.hpp>

namespace sluice::kube {
namespace {

using namespace std::chrono_literals;
using http::Exchange;
using http::Server;
using testing::Pki;
using testing::TempFolder;
using Bytes = std::shared_ptr<const std::string>;

Bytes bytes(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

SocketAddress loopback(const char *ip = "127.0.0.1") { return {*IpAddress::parse(ip), Port(0)}; }

std::unique_ptr<Server> serve(Server::Handler handler,
                              std::optional<http::TlsFiles> tls = std::nullopt,
                              SocketAddress address = loopback()) {
  http::ServerOptions options;
  options.listen = {address};
  options.tls = std::move(tls);
  options.timeouts.stop = 100ms;
  auto server = Server::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server) << server.error().what();
  return std::move(*server);
}

ClientConfig plain_config(const Server &server) {
  ClientConfig config;
  config.server = "http://" + server.addresses().front().str();
  return config;
}

std::unique_ptr<ApiClient> client_of(ClientConfig config) {
  auto client = ApiClient::create(std::move(config));
  EXPECT_TRUE(client) << client.error().what();
  return std::move(*client);
}

HttpRequest get(const std::string &path) {
  HttpRequest request;
  request.path = path;
  return request;
}

TEST(api_client, a_request_says_what_it_should) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    const http::Request &r = exchange->request();
    std::string text = r.method + " " + r.path + " " + r.parameter("x") + "|" +
                       std::string(r.header("content-type")) + "|" +
                       std::string(r.header("accept")) + "|" +
                       std::string(r.header("authorization")) + "|" +
                       std::string(r.header("user-agent")) + "|" + r.body;
    exchange->reply({201, "text/x", {{"Retry-After", "7"}}, bytes(text)});
  });
  ClientConfig config = plain_config(*server);
  config.server += "/prefix/";
  config.token = "t0k";
  config.userAgent = "me";
  HttpRequest request = get("/a?x=1%2F2");
  request.method = "PATCH";
  request.body = "{}";
  request.contentType = "application/merge-patch+json";
  const auto response = client_of(config)->send(request);
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->contentType, "text/x");
  EXPECT_EQ(response->retryAfter, "7");
  EXPECT_EQ(response->body, "PATCH /prefix/a 1/2|application/merge-patch+json|application/json|"
                            "Bearer t0k|me|{}");
}

TEST(api_client, connections_are_kept_and_shared_by_threads) {
  std::mutex mutex;
  std::set<std::uint16_t> ports;
  const auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    const std::lock_guard lock(mutex);
    ports.insert(exchange->request().peer.port.value);
    exchange->reply({200, "application/json", {}, bytes("{}")});
  });
  const auto client = client_of(plain_config(*server));
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(client->send(get("/")));
  EXPECT_EQ(ports.size(), 1U);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k)
        EXPECT_TRUE(client->send(get("/")));
    });
  for (auto &thread : threads)
    thread.join();
  EXPECT_LE(ports.size(), 5U);
}

TEST(api_client, a_kept_connection_that_the_server_closed_is_replaced) {
  std::atomic<int> requests{0};
  const auto handler = [&](const std::shared_ptr<Exchange> &exchange) {
    ++requests;
    exchange->reply({200, "application/json", {}, bytes("{}")});
  };
  auto server = serve(handler);
  const auto client = client_of(plain_config(*server));
  EXPECT_TRUE(client->send(get("/")));
  const SocketAddress address = server->addresses().front();
  server.reset();
  server = serve(handler, std::nullopt, address);
  HttpRequest post = get("/");
  post.method = "POST";
  const auto response = client->send(post);
  EXPECT_TRUE(response) << response.error().what();
  EXPECT_EQ(requests, 2);
}

TEST(api_client, an_unreachable_server_is_named) {
  SocketAddress address;
  {
    const auto server = serve([](const std::shared_ptr<Exchange> &) {});
    address = server->addresses().front();
  }
  ClientConfig config;
  config.server = "http://" + address.str();
  const auto response = client_of(config)->send(get("/api"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Errc::unavailable);
  EXPECT_NE(response.error().what().find(address.str() + "/api"), std::string::npos)
      << response.error().what();
}

TEST(api_client, a_server_that_does_not_answer_is_a_timeout) {
  Mailbox<std::shared_ptr<Exchange>> held;
  const auto server =
      serve([&](std::shared_ptr<Exchange> exchange) { held.put(std::move(exchange)); });
  HttpRequest request = get("/");
  request.timeout = 50ms;
  EXPECT_EQ(client_of(plain_config(*server))->send(request).error().code(), Errc::timeout);
}

TEST(api_client, a_status_becomes_an_error_with_its_message) {
  const struct {
    int status;
    const char *body;
    Errc code;
    const char *says;
    int line;
  } kCases[] = {
      {404, R"({"kind":"Status","message":"pods \"x\" not found","reason":"NotFound"})",
       Errc::not_found, "pods \"x\" not found", __LINE__},
      {409, R"({"reason":"AlreadyExists","message":"m"})", Errc::already_exists, "m", __LINE__},
      {409, R"({"reason":"Conflict","message":"m"})", Errc::conflict, "m", __LINE__},
      {410, R"({"reason":"Expired"})", Errc::expired, "HTTP 410", __LINE__},
      {401, "", Errc::no_permission, "HTTP 401", __LINE__},
      {403, R"({"message":5})", Errc::no_permission, "HTTP 403", __LINE__},
      {400, "[]", Errc::invalid_input, "HTTP 400", __LINE__},
      {422, R"({"message":"spec.x: bad"})", Errc::invalid_input, "spec.x: bad", __LINE__},
      {415, "", Errc::unsupported, "HTTP 415", __LINE__},
      {429, "", Errc::unavailable, "HTTP 429", __LINE__},
      {503, "no healthy upstream", Errc::unavailable, "no healthy upstream", __LINE__},
  };
  for (const auto &c : kCases) {
    SCOPED_TRACE("line " + std::to_string(c.line));
    const Error error = error_of({c.status, "", "", c.body});
    EXPECT_EQ(error.code(), c.code);
    EXPECT_NE(error.what().find(c.says), std::string::npos) << error.what();
  }
}

TEST(api_client, paths_follow_the_kind) {
  const struct {
    const RestKind &kind;
    ObjectKey key;
    const char *path;
  } kCases[] = {
      {rest_of<Pod>(), {"default", "web-1"}, "/api/v1/namespaces/default/pods/web-1"},
      {rest_of<Pod>(), {"default", ""}, "/api/v1/namespaces/default/pods"},
      {rest_of<Pod>(), {"", ""}, "/api/v1/pods"},
      {rest_of<Node>(), {"", "n1"}, "/api/v1/nodes/n1"},
      {rest_of<Namespace>(), {"", "a b"}, "/api/v1/namespaces/a%20b"},
      {rest_of<EndpointSlice>(),
       {"x", "y"},
       "/apis/discovery.k8s.io/v1/namespaces/x/endpointslices/y"},
  };
  for (const auto &c : kCases)
    EXPECT_EQ(path_of(c.kind, c.key), c.path);
}

TEST(api_client, typed_calls_send_what_the_api_expects) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    const http::Request &r = exchange->request();
    const nlohmann::json seen = {
        {"did", r.method + " " + r.path}, {"type", r.header("content-type")}, {"body", r.body}};
    exchange->reply({200, "application/json", {}, bytes(seen.dump())});
  });
  const auto client = client_of(plain_config(*server));
  const RestKind &kind = rest_of<ConfigMap>();
  const nlohmann::json object = {{"a", 1}};
  const auto created = client->create_object(kind, "ns", object);
  ASSERT_TRUE(created);
  EXPECT_EQ((*created)["did"], "POST /api/v1/namespaces/ns/configmaps");
  EXPECT_EQ((*created)["type"], "application/json");
  EXPECT_EQ((*created)["body"], "{\"a\":1}");
  EXPECT_EQ((*client->replace(kind, {"ns", "x"}, object, "status"))["did"],
            "PUT /api/v1/namespaces/ns/configmaps/x/status");
  EXPECT_EQ((*client->merge_patch(kind, {"ns", "x"}, object))["type"],
            "application/merge-patch+json");
  EXPECT_EQ((*client->get(kind, {"ns", "x"}))["did"], "GET /api/v1/namespaces/ns/configmaps/x");
  EXPECT_TRUE(client->remove(kind, {"ns", "x"}, 0));
}

TEST(api_client, a_peer_that_vanishes_is_noticed_by_the_kernel) {
  const auto server = serve([](const std::shared_ptr<Exchange> &) {});
  const auto socket = http::begin_connect(server->addresses().front());
  ASSERT_TRUE(socket);
  const auto option = [&](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    ::getsockopt(socket->get(), level, name, &value, &size);
    return value;
  };
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
}

TEST(api_client, a_token_never_goes_over_plain_http_to_another_machine) {
  ClientConfig config;
  config.server = "http://192.0.2.1:80";
  EXPECT_TRUE(ApiClient::create(config));
  config.token = "secret";
  EXPECT_EQ(ApiClient::create(config).error().code(), Errc::invalid_input);
}

TEST(api_client, a_server_url_that_makes_no_sense_is_refused) {
  for (const char *url : {"", "10.0.0.1:80", "ftp://x", "https://", "https://h:0", "https://h:x",
                          "https://h:99999", "https://a b"}) {
    SCOPED_TRACE(url);
    ClientConfig config;
    config.server = url;
    EXPECT_EQ(ApiClient::create(config).error().code(), Errc::invalid_input);
  }
}

TEST(api_client, a_token_file_is_read_again_when_it_changes) {
  const TempFolder folder;
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    exchange->reply({200, "", {}, bytes(std::string(exchange->request().header("authorization")))});
  });
  ClientConfig config = plain_config(*server);
  config.tokenFile = folder.write("token", "one\n");
  const auto client = client_of(config);
  EXPECT_EQ(client->send(get("/"))->body, "Bearer one");
  folder.write("token", "two");
  EXPECT_EQ(client->send(get("/"))->body, "Bearer two");
  std::filesystem::remove(config.tokenFile); // for a moment: what we have goes on working
  EXPECT_EQ(client->send(get("/"))->body, "Bearer two");
  ClientConfig missing = config;
  EXPECT_EQ(ApiClient::create(missing).error().code(), Errc::not_found);
}

class ApiClientTls : public ::testing::Test {
protected:
  static void SetUpTestSuite() {
    pki_ = std::make_unique<Pki>();
    pki_->make_authority("ca");
    pki_->make_authority("other");
    pki_->make_certificate("server", "ca", "/CN=server", "DNS:api.test,IP:127.0.0.1,IP:::1");
    pki_->make_certificate("named", "ca", "/CN=named", "DNS:api.test");
    pki_->make_certificate("user", "ca", "/O=devs/O=ops/CN=alice");
    pki_->make_certificate("stranger", "other", "/CN=mallory");
  }
  static void TearDownTestSuite() { pki_.reset(); }

  static http::TlsFiles files(const std::string &name) {
    return {pki_->path(name + ".crt"), pki_->path(name + ".key"), pki_->path("ca.crt")};
  }
  static std::unique_ptr<Server> serve_tls(const std::string &name = "server",
                                           const char *ip = "127.0.0.1") {
    return serve(
        [](const std::shared_ptr<Exchange> &exchange) {
          const http::Request &r = exchange->request();
          std::string who = r.clientCommonName;
          for (const std::string &group : r.clientOrganizations)
            who += " " + group;
          exchange->reply({200, "", {}, bytes(who + r.body)});
        },
        files(name), loopback(ip));
  }
  static ClientConfig config_for(const Server &server) {
    ClientConfig config;
    config.server = "https://" + server.addresses().front().str();
    config.certificateAuthority.file = pki_->path("ca.crt");
    return config;
  }
  static std::unique_ptr<Pki> pki_;
};
std::unique_ptr<Pki> ApiClientTls::pki_;

TEST_F(ApiClientTls, a_client_certificate_names_its_user_and_groups) {
  const auto server = serve_tls();
  ClientConfig config = config_for(*server);
  EXPECT_EQ(client_of(config)->send(get("/"))->body, "");
  config.clientCertificate.data = pki_->read("user.crt");
  config.clientKey.file = pki_->path("user.key");
  const auto client = client_of(config);
  EXPECT_EQ(client->send(get("/"))->body, "alice devs ops");
  HttpRequest large = get("/");
  large.method = "PUT";
  large.body = std::string(1U << 20, 'x');
  const auto response = client->send(large);
  ASSERT_TRUE(response) << response.error().what();
  EXPECT_EQ(response->body.size(), 14 + large.body.size());
}

TEST_F(ApiClientTls, ipv6_addresses_stand_in_brackets) {
  const auto server = serve_tls("server", "::1");
  const auto response = client_of(config_for(*server))->send(get("/"));
  EXPECT_TRUE(response) << response.error().what();
}

TEST_F(ApiClientTls, a_client_certificate_of_a_strange_authority_is_refused) {
  const auto server = serve_tls();
  ClientConfig config = config_for(*server);
  config.clientCertificate.file = pki_->path("stranger.crt");
  config.clientKey.file = pki_->path("stranger.key");
  EXPECT_FALSE(client_of(config)->send(get("/")));
}

TEST_F(ApiClientTls, a_server_that_cannot_be_verified_is_refused_with_the_reason) {
  const auto server = serve_tls("named");
  ClientConfig config = config_for(*server);
  const auto wrong_name = client_of(config)->send(get("/"));
  ASSERT_FALSE(wrong_name);
  EXPECT_NE(wrong_name.error().what().find("IP address mismatch"), std::string::npos)
      << wrong_name.error().what();
  config.tlsServerName = "api.test";
  EXPECT_TRUE(client_of(config)->send(get("/")));

  config.certificateAuthority.file = pki_->path("other.crt");
  const auto wrong_authority = client_of(config)->send(get("/"));
  ASSERT_FALSE(wrong_authority);
  EXPECT_NE(wrong_authority.error().what().find("certificate verify failed"), std::string::npos)
      << wrong_authority.error().what();
  config.insecureSkipTlsVerify = true;
  EXPECT_TRUE(client_of(config)->send(get("/")));
}

TEST_F(ApiClientTls, certificates_are_read_again_when_their_files_change) {
  const auto server = serve_tls();
  const TempFolder folder;
  ClientConfig config = config_for(*server);
  config.certificateAuthority.file = folder.write("ca.crt", pki_->read("other.crt"));
  config.clientCertificate.file = folder.write("c.crt", pki_->read("user.crt"));
  config.clientKey.file = folder.write("c.key", pki_->read("user.key"));
  const auto client = client_of(config);
  EXPECT_FALSE(client->send(get("/")));
  folder.write("ca.crt", pki_->read("ca.crt"));
  EXPECT_EQ(client->send(get("/"))->body, "alice devs ops");
  pki_->make_certificate("user2", "ca", "/CN=bob");
  folder.write("c.crt", pki_->read("user2.crt")); // for a moment the key does not fit
  EXPECT_EQ(client->send(get("/"))->body, "alice devs ops");
  folder.write("c.key", pki_->read("user2.key"));
  EXPECT_EQ(client->send(get("/"))->body, "bob");
}

TEST_F(ApiClientTls, bad_certificate_files_are_errors_at_the_start) {
  ClientConfig config;
  config.server = "https://127.0.0.1:1";
  config.certificateAuthority.data = "no PEM";
  EXPECT_EQ(ApiClient::create(config).error().code(), Errc::invalid_input);
  config.certificateAuthority = {"", pki_->path("nowhere.crt")};
  const auto missing = ApiClient::create(config);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
  EXPECT_NE(missing.error().what().find("nowhere.crt"), std::string::npos);
  http::ServerOptions options;
  options.listen = {loopback()};
  options.tls = http::TlsFiles{pki_->path("server.crt"), pki_->path("user.key"), ""};
  EXPECT_FALSE(Server::start(std::move(options), [](std::shared_ptr<Exchange>) {}));
}

TEST_F(ApiClientTls, plain_http_to_a_tls_port_is_told_so) {
  const auto server = serve_tls();
  http::testing::RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_NE(client.read_all().find("HTTPS"), std::string::npos);
}

TEST_F(ApiClientTls, streams_work_over_tls) {
  const auto server = serve(
      [](const std::shared_ptr<Exchange> &exchange) {
        const auto stream = exchange->begin_stream({200, "application/json", {}, bytes("a")});
        for (int i = 0; i < 1000; ++i)
          stream->write(bytes(std::string(1000, 'b')));
        stream->write(bytes(std::string(100000, 'c')));
      },
      files("server"));
  std::size_t size = 0;
  ApiClient::Stream stream;
  stream.path = "/";
  stream.on_status = [](const HttpResponse &) { return true; };
  stream.on_data = [&](std::string_view data) {
    size += data.size();
    return true;
  };
  const auto result = client_of(config_for(*server))->stream(stream);
  EXPECT_TRUE(result) << result.error().what();
  EXPECT_EQ(size, 1100001U);
}

// ---- streams -----------------------------------------------------------------------------------

struct Collected {
  int status = 0;
  std::string data;
};

ApiClient::Stream collecting(Collected &into) {
  ApiClient::Stream stream;
  stream.path = "/watch";
  stream.on_status = [&](const HttpResponse &head) {
    into.status = head.status;
    return true;
  };
  stream.on_data = [&](std::string_view data) {
    into.data += data;
    return true;
  };
  return stream;
}

TEST(api_client_stream, data_is_handed_on_until_the_server_ends) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    const auto stream = exchange->begin_stream({200, "application/json", {}, bytes("one ")});
    stream->write(bytes("two"));
  });
  Collected got;
  EXPECT_TRUE(client_of(plain_config(*server))->stream(collecting(got)));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.data, "one two");
}

TEST(api_client_stream, silence_is_a_timeout_and_a_broken_answer_is_an_error) {
  Mailbox<std::shared_ptr<http::Stream>> streams;
  auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    streams.put(exchange->begin_stream({200, "application/json", {}, bytes("x")}));
  });
  const auto client = client_of(plain_config(*server));
  Collected got;
  ApiClient::Stream stream = collecting(got);
  stream.silence = 50ms;
  EXPECT_EQ(client->stream(stream).error().code(), Errc::timeout);
  EXPECT_EQ(got.data, "x");

  auto listener = *http::listen_on(loopback());
  ClientConfig config;
  config.server = "http://" + http::local_address(listener)->str();
  std::thread breaker([&] {
    pollfd watched{listener.get(), POLLIN, 0};
    ::poll(&watched, 1, 5000);
    auto accepted = http::accept_from(listener.get());
    constexpr std::string_view kHalf =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    ::send(accepted->socket.get(), kHalf.data(), kHalf.size(), MSG_NOSIGNAL);
  });
  const auto broken = client_of(config)->stream(collecting(got));
  breaker.join();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), Errc::unavailable);
}

TEST(api_client_stream, the_stop_signal_ends_it) {
  Mailbox<std::shared_ptr<http::Stream>> streams;
  const auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    streams.put(exchange->begin_stream({200, "application/json", {}, nullptr}));
  });
  const auto client = client_of(plain_config(*server));
  StopSignal stop;
  Collected got;
  ApiClient::Stream stream = collecting(got);
  stream.stop = &stop;
  Result<> result;
  std::thread watcher([&] { result = client->stream(stream); });
  const auto held = streams.take();
  const auto before = std::chrono::steady_clock::now();
  stop.set();
  watcher.join();
  EXPECT_TRUE(result);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1s); // generous: the machine may be busy
}

TEST(api_client_stream, a_callback_ends_it) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    exchange->begin_stream({403, "application/json", {}, bytes("{}")});
  });
  const auto client = client_of(plain_config(*server));
  Collected got;
  ApiClient::Stream stream = collecting(got);
  stream.on_status = [&](const HttpResponse &head) {
    got.status = head.status;
    return false;
  };
  EXPECT_TRUE(client->stream(stream));
  EXPECT_EQ(got.status, 403);
  EXPECT_EQ(got.data, "");
}

} // namespace
} // namespace sluice::kube
