#include "kube/http/server.hpp"

#include "kube/http/tests/raw_client.hpp"
#include "net/mailbox.hpp"

#include <atomic>

namespace sluice::kube::http {
namespace {

using namespace std::chrono_literals;
using testing::RawClient;
using Bytes = std::shared_ptr<const std::string>;

Bytes bytes(std::string text) { return std::make_shared<const std::string>(std::move(text)); }
Response plain(std::string text) { return {200, "text/plain", {}, bytes(std::move(text))}; }

SocketAddress loopback() { return {IpAddress::from_v4(0x7f000001), Port(0)}; }

std::unique_ptr<Server> serve(Server::Handler handler, ServerOptions options = {}) {
  if (options.listen.empty() && options.sockets.empty())
    options.listen = {loopback()};
  auto server = Server::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server) << server.error().what();
  return std::move(*server);
}

// Says back what it understood.
void echo(const std::shared_ptr<Exchange> &exchange) {
  const Request &r = exchange->request();
  std::string text = r.method + " " + r.path;
  for (const auto &[name, value] : r.query)
    text += " " + name + "=" + value;
  exchange->reply(plain(text + "|" + r.body));
}

std::string body_of(const std::string &answer) {
  const std::size_t head = answer.find("\r\n\r\n");
  return head == std::string::npos ? answer : answer.substr(head + 4);
}

TEST(http_server, requests_are_understood_and_answered) {
  const struct {
    const char *name, *request, *body;
    int line;
  } kCases[] = {
      {"a plain get", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /a|",
       __LINE__},
      {"escapes and a query are decoded",
       "GET /a%20b?x=1%262&y=p+q&z HTTP/1.1\r\nConnection: close\r\n\r\n",
       "GET /a b x=1&2 y=p q z=|", __LINE__},
      {"a body by length", "POST /p HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
       "POST /p|abc", __LINE__},
      {"a body in chunks",
       "PUT /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
       "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
       "PUT /p|abcde", __LINE__},
      {"a method that HTTP does not define", "FROB / HTTP/1.1\r\nConnection: close\r\n\r\n",
       "FROB /|", __LINE__},
      {"HTTP/1.0 closes by itself", "GET /old HTTP/1.0\r\n\r\n", "GET /old|", __LINE__},
      {"the absolute form", "GET http://h:80/a?b=c HTTP/1.1\r\nConnection: close\r\n\r\n",
       "GET /a b=c|", __LINE__},
  };
  const auto server = serve(echo);
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    RawClient client(server->addresses().front());
    client.send(c.request);
    const std::string answer = client.read_all();
    EXPECT_EQ(answer.substr(0, 15), "HTTP/1.1 200 OK");
    EXPECT_EQ(body_of(answer), c.body);
  }
}

TEST(http_server, bad_requests_are_refused_and_cut) {
  const struct {
    const char *name;
    std::string request, status;
    int line;
  } kCases[] = {
      {"no HTTP at all", "hello\r\n\r\n", "400", __LINE__},
      {"a broken escape in the path", "GET /%zz HTTP/1.1\r\n\r\n", "400", __LINE__},
      {"an escape that ends too soon", "GET /?a=%4 HTTP/1.1\r\n\r\n", "400", __LINE__},
      {"a body that is too long", "POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", "413",
       __LINE__},
      {"chunks that are too long together",
       "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + std::string(64, 'x') +
           "\r\n40\r\n" + std::string(64, 'x') + "\r\n0\r\n\r\n",
       "413", __LINE__},
      {"a header that never ends", "GET / HTTP/1.1\r\nX: " + std::string(70000, 'x'), "431",
       __LINE__},
      {"two lengths that differ",
       "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400", __LINE__},
      {"a chunk size that is no number",
       "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400", __LINE__},
  };
  ServerOptions options;
  options.bodyLimitBytes = 100;
  const auto server = serve(echo, std::move(options));
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    RawClient client(server->addresses().front());
    client.send(c.request);
    const std::string answer = client.read_all();
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 " + c.status);
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  }
}

TEST(http_server, one_connection_serves_many_requests_pipelined_or_not) {
  const auto server = serve(echo);
  RawClient client(server->addresses().front());
  client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nPOST /3 HTTP/1.1\r\nContent-"
              "Length: 2\r\n\r\nx");
  EXPECT_EQ(body_of(client.read_until("/1|")), "GET /1|");
  EXPECT_EQ(body_of(client.read_until("/2|")), "GET /2|");
  client.send("y");
  EXPECT_EQ(body_of(client.read_until("/3|xy")), "POST /3|xy");
}

TEST(http_server, a_request_may_come_byte_by_byte) {
  const auto server = serve(echo);
  RawClient client(server->addresses().front());
  for (const char c : std::string("POST /slow HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"))
    client.send({&c, 1});
  EXPECT_EQ(body_of(client.read_until("|ab")), "POST /slow|ab");
}

TEST(http_server, expect_100_continue_is_honoured_only_if_the_body_will_be_read) {
  ServerOptions options;
  options.bodyLimitBytes = 10;
  const auto server = serve(echo, std::move(options));
  RawClient good(server->addresses().front());
  good.send("POST /c HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(good.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  good.send("ok");
  EXPECT_EQ(body_of(good.read_until("|ok")), "POST /c|ok");

  RawClient large(server->addresses().front());
  large.send("POST /c HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(large.read_all().substr(0, 12), "HTTP/1.1 413");
}

TEST(http_server, head_and_204_have_no_body) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    Response response = plain("12345");
    if (exchange->request().path == "/none")
      response.status = 204;
    exchange->reply(std::move(response));
  });
  RawClient client(server->addresses().front());
  client.send("HEAD /x HTTP/1.1\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Length: 5\r\n"), std::string::npos);
  client.send("GET /none HTTP/1.1\r\n\r\n");
  const std::string none = client.read_until("\r\n\r\n");
  EXPECT_EQ(none.substr(0, 23), "HTTP/1.1 204 No Content");
  EXPECT_EQ(none.find("Content-Length"), std::string::npos);
  client.send("GET /x HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body_of(client.read_all()), "12345");
}

TEST(http_server, a_header_value_cannot_smuggle_in_another_header) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    exchange->reply({200, "text/plain", {{"Warning", "a\r\nSet-Cookie: b"}}, nullptr});
  });
  RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client.read_all().find("Warning: a  Set-Cookie: b\r\n"), std::string::npos);
}

TEST(http_server, a_dropped_or_throwing_exchange_answers_500) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    if (exchange->request().path == "/throw")
      throw std::runtime_error("no");
  });
  for (const char *path : {"/drop", "/throw"}) {
    SCOPED_TRACE(path);
    RawClient client(server->addresses().front());
    client.send(std::string("GET ") + path + " HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(client.read_all().substr(0, 12), "HTTP/1.1 500");
  }
}

TEST(http_server, answers_may_come_later_from_another_thread) {
  Mailbox<std::shared_ptr<Exchange>> mailbox;
  ServerOptions options;
  options.threads = 2;
  std::thread worker([&] {
    while (auto exchange = mailbox.take())
      (*exchange)->reply(plain((*exchange)->request().path));
  });
  {
    const auto server =
        serve([&](std::shared_ptr<Exchange> exchange) { mailbox.put(std::move(exchange)); },
              std::move(options));
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 20; ++i)
      clients.push_back(std::make_unique<RawClient>(server->addresses().front()));
    for (int round = 0; round < 10; ++round) {
      for (auto &client : clients)
        client->send("GET /later HTTP/1.1\r\n\r\n");
      for (auto &client : clients)
        EXPECT_EQ(body_of(client->read_until("/later")), "/later");
    }
  }
  mailbox.close();
  worker.join();
}

TEST(http_server, a_large_answer_arrives_whole) {
  std::string large(8U << 20, 'a');
  for (std::size_t i = 0; i < large.size(); i += 997)
    large[i] = static_cast<char>('b' + i % 20);
  const Bytes body = bytes(large);
  const auto server = serve([body](const std::shared_ptr<Exchange> &exchange) {
    exchange->reply({200, "application/json", {}, body});
  });
  RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(body_of(client.read_all()) == large);
}

TEST(http_server, a_stream_sends_chunks_in_order_and_the_connection_goes_on) {
  Mailbox<std::shared_ptr<Stream>> streams;
  const auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    streams.put(exchange->begin_stream(plain("first ")));
  });
  RawClient client(server->addresses().front());
  for (int round = 0; round < 2; ++round) {
    client.send("GET /watch HTTP/1.1\r\n\r\n");
    const auto stream = *streams.take();
    EXPECT_TRUE(stream->write(bytes("second ")));
    EXPECT_TRUE(stream->write(bytes(""))); // must not end the body
    EXPECT_TRUE(stream->write(bytes(std::string(20, 'x'))));
    stream->close();
    EXPECT_FALSE(stream->write(bytes("late")));
    EXPECT_EQ(body_of(client.read_until("0\r\n\r\n")),
              "6\r\nfirst \r\n7\r\nsecond \r\n14\r\n" + std::string(20, 'x') + "\r\n0\r\n\r\n");
  }
}

TEST(http_server, an_old_stream_cannot_write_into_the_next_answer) {
  std::shared_ptr<Stream> old;
  const auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    if (exchange->request().path != "/watch")
      return echo(exchange);
    old = exchange->begin_stream(plain("x"));
    old->close();
  });
  RawClient client(server->addresses().front());
  client.send("GET /watch HTTP/1.1\r\n\r\n");
  client.read_until("0\r\n\r\n");
  EXPECT_FALSE(old->write(bytes("ghost")));
  client.send("GET /next HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body_of(client.read_all()), "GET /next|");
}

TEST(http_server, http10_streams_until_the_end_of_the_connection) {
  const auto server = serve([](const std::shared_ptr<Exchange> &exchange) {
    exchange->begin_stream(plain("a"))->write(bytes("b"));
  });
  RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_EQ(body_of(answer), "ab");
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
}

TEST(http_server, a_stream_learns_that_its_client_is_gone) {
  Mailbox<std::shared_ptr<Stream>> streams;
  const auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    streams.put(exchange->begin_stream(plain("x")));
  });
  RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.1\r\n\r\n");
  client.read_until("x\r\n");
  const auto stream = *streams.take();
  client.close();
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  bool open = true;
  while (open && std::chrono::steady_clock::now() < deadline)
    open = stream->write(bytes("y"));
  EXPECT_FALSE(open);
}

TEST(http_server, unsent_bytes_of_a_client_that_does_not_read_are_counted) {
  Mailbox<std::shared_ptr<Stream>> streams;
  const auto server = serve([&](const std::shared_ptr<Exchange> &exchange) {
    streams.put(exchange->begin_stream(plain("x")));
  });
  RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.1\r\n\r\n");
  const auto stream = *streams.take();
  const Bytes chunk = bytes(std::string(1U << 20, 'x'));
  for (int i = 0; i < 32; ++i)
    EXPECT_TRUE(stream->write(chunk));
  EXPECT_GT(stream->pending_bytes(), 16U << 20); // the socket's buffers hold a few MB
  stream->close();
  EXPECT_GT(client.read_until("\r\n0\r\n\r\n").size(), 32U << 20);
  EXPECT_EQ(stream->pending_bytes(), 0U);
}

ServerOptions short_timeouts() {
  ServerOptions options;
  options.timeouts = {50ms, 50ms, 50ms, 50ms, 100ms};
  return options;
}

TEST(http_server, idle_and_slow_clients_are_cut) {
  const auto server = serve(echo, short_timeouts());
  const struct {
    const char *name, *sends;
  } kCases[] = {{"says nothing", ""},
                {"half a head", "GET / HTT"},
                {"half a body", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"}};
  for (const auto &c : kCases) {
    SCOPED_TRACE(c.name);
    RawClient client(server->addresses().front());
    client.send(c.sends);
    EXPECT_TRUE(client.closed_by_peer());
  }
}

TEST(http_server, a_client_that_stops_reading_is_cut_but_an_idle_watch_is_not) {
  Mailbox<std::shared_ptr<Stream>> streams;
  const auto server = serve(
      [&](const std::shared_ptr<Exchange> &exchange) {
        streams.put(exchange->begin_stream(plain("x")));
      },
      short_timeouts());
  RawClient idle(server->addresses().front()), stalled(server->addresses().front());
  idle.send("GET / HTTP/1.1\r\n\r\n");
  const auto idle_stream = *streams.take();
  stalled.send("GET / HTTP/1.1\r\n\r\n");
  const auto stalled_stream = *streams.take();
  const Bytes chunk = bytes(std::string(1U << 20, 'x'));
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  bool open = true;
  while (open && std::chrono::steady_clock::now() < deadline)
    open = stalled_stream->write(stalled_stream->pending_bytes() < (32U << 20) ? chunk : bytes(""));
  EXPECT_FALSE(open);
  // Well past the time limits, the idle one is still there.
  EXPECT_TRUE(idle_stream->write(bytes("still here")));
  EXPECT_NE(idle.read_until("still here").find("still here"), std::string::npos);
}

TEST(http_server, stopping_lets_answers_finish_and_ends_streams_properly) {
  Mailbox<std::shared_ptr<Exchange>> exchanges;
  Mailbox<std::shared_ptr<Stream>> streams;
  auto server = serve([&](std::shared_ptr<Exchange> exchange) {
    if (exchange->request().path == "/watch")
      streams.put(exchange->begin_stream(plain("x")));
    else
      exchanges.put(std::move(exchange));
  });
  RawClient watch(server->addresses().front()), get(server->addresses().front()),
      idle(server->addresses().front());
  watch.send("GET /watch HTTP/1.1\r\n\r\n");
  const auto stream = *streams.take();
  get.send("GET /get HTTP/1.1\r\n\r\n");
  auto exchange = *exchanges.take();
  std::thread stopper([&] { server.reset(); });
  EXPECT_TRUE(idle.closed_by_peer()); // the stop has begun
  exchange->reply(plain("done"));
  EXPECT_EQ(body_of(get.read_all()), "done");
  EXPECT_EQ(body_of(watch.read_all()), "1\r\nx\r\n0\r\n\r\n");
  stopper.join();
  EXPECT_FALSE(stream->write(bytes("after the end")));
}

TEST(http_server, an_exchange_may_outlive_its_server) {
  Mailbox<std::shared_ptr<Exchange>> exchanges;
  auto server =
      serve([&](std::shared_ptr<Exchange> exchange) { exchanges.put(std::move(exchange)); },
            short_timeouts());
  RawClient client(server->addresses().front());
  client.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  const auto exchange = *exchanges.take();
  server.reset(); // gives up after 100 ms
  const auto stream = exchange->begin_stream(plain("x"));
  EXPECT_FALSE(stream->write(bytes("y")));
  EXPECT_TRUE(client.closed_by_peer());
}

TEST(http_server, it_listens_where_told_and_says_where) {
  auto socket = listen_on(loopback());
  ASSERT_TRUE(socket);
  const SocketAddress given = *local_address(*socket);
  ServerOptions options;
  options.listen = {loopback(), {*IpAddress::parse("::1"), Port(0)}};
  options.sockets.push_back(std::move(*socket));
  const auto server = serve(
      [](const std::shared_ptr<Exchange> &exchange) {
        exchange->reply(plain(exchange->request().peer.ip.str()));
      },
      std::move(options));
  ASSERT_EQ(server->addresses().size(), 3U);
  EXPECT_EQ(server->addresses()[2], given);
  const char *const kPeers[] = {"127.0.0.1", "::1", "127.0.0.1"};
  for (std::size_t i = 0; i < 3; ++i) {
    RawClient client(server->addresses()[i]);
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(body_of(client.read_all()), kPeers[i]);
  }
}

TEST(http_server, an_address_in_use_is_an_error_that_names_it) {
  const auto server = serve(echo);
  ServerOptions options;
  options.listen = server->addresses();
  const auto second = Server::start(std::move(options), echo);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().what().find(server->addresses().front().str()), std::string::npos);
}

} // namespace
} // namespace sluice::kube::http
