#include "cli/netexec/answer.hpp"
#include "cli/netexec/client.hpp"

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::netexec;

TEST(netexec_answer, a_described_exchange_names_its_pod_first) {
  const auto line = describe({"web-1", "http", *SocketAddress::parse("10.244.1.5:40312"),
                              *SocketAddress::parse("[fd00::3]:8080")});
  EXPECT_EQ(line, "web-1 protocol=http client=10.244.1.5:40312 server=[fd00::3]:8080");
  EXPECT_EQ(pod_in(line), "web-1");
  EXPECT_EQ(pod_in("<html>"), "");
  EXPECT_EQ(pod_in(""), "");
}

TEST(netexec_answer, http_requests_are_taken_only_when_whole) {
  struct Case {
    const char *name, *buffer;
    const char *path; ///< nullptr: not yet
    bool keep_alive;
    int line;
  };
  const Case cases[] = {
      {"nothing is not yet a request", "", nullptr, false, __LINE__},
      {"a head without its end is not yet one", "GET / HTTP/1.1\r\nHost: x\r\n", nullptr, false,
       __LINE__},
      {"HTTP/1.1 keeps the connection", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "/a", true, __LINE__},
      {"HTTP/1.0 does not", "GET /a HTTP/1.0\r\n\r\n", "/a", false, __LINE__},
      {"close is heard in any case", "GET /a HTTP/1.1\r\ncOnnection: Close\r\n\r\n", "/a", false,
       __LINE__},
      {"the query is not part of the path", "GET /a?b=c HTTP/1.1\r\n\r\n", "/a", true, __LINE__},
      {"a body is waited for", "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", nullptr, false,
       __LINE__},
      {"a whole body is part of the request", "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
       "/a", true, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const auto request = parse_http(c.buffer);
    ASSERT_TRUE(request) << request.error().what();
    ASSERT_EQ(request->has_value(), c.path != nullptr);
    if (!*request)
      continue;
    EXPECT_EQ((*request)->path, c.path);
    EXPECT_EQ((*request)->keep_alive, c.keep_alive);
    EXPECT_EQ((*request)->total_bytes, std::string_view(c.buffer).size());
  }
}

TEST(netexec_answer, what_can_never_be_a_request_is_refused) {
  for (const std::string &bad :
       {std::string("hello\r\n\r\n"), std::string("GET /\r\n\r\n"), std::string(20000, 'x'),
        std::string("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")}) {
    SCOPED_TRACE(bad.substr(0, 40));
    EXPECT_FALSE(parse_http(bad));
  }
}

TEST(netexec_target, urls_name_protocol_address_and_port) {
  struct Case {
    const char *url;
    const char *address; ///< nullptr: refused
    const char *path;
    int line;
  };
  const Case cases[] = {
      {"http://10.96.0.10", "10.96.0.10:80", "/", __LINE__},
      {"http://10.96.0.10:8080/hostname", "10.96.0.10:8080", "/hostname", __LINE__},
      {"http://[fd00::1]/", "[fd00::1]:80", "/", __LINE__},
      {"udp://[fd00::1]:53", "[fd00::1]:53", "/", __LINE__},
      {"tcp://10.0.0.1", nullptr, nullptr, __LINE__},
      {"https://10.0.0.1", nullptr, nullptr, __LINE__},
      {"http://example.com", nullptr, nullptr, __LINE__},
      {"10.0.0.1:80", nullptr, nullptr, __LINE__},
      {"", nullptr, nullptr, __LINE__},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.url) + " (line " + std::to_string(c.line) + ")");
    const auto target = Target::parse(c.url);
    ASSERT_EQ(target.has_value(), c.address != nullptr);
    if (!target)
      continue;
    EXPECT_EQ(target->address.str(), c.address);
    EXPECT_EQ(target->path, c.path);
  }
}
