#include "controlplane/auth/authorizer.hpp"
#include "controlplane/auth/files.hpp"
#include "controlplane/auth/pki.hpp"
#include "controlplane/auth/tokens.hpp"
#include "net/base64.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sluice::controlplane {
namespace {

namespace fs = std::filesystem;
using SystemClock = std::chrono::system_clock;
using namespace std::chrono_literals;

class controlplane_auth : public testing::Test {
protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "slc-auth-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string file(const char *name) const { return folder / name; }
  Pki ensure(const std::vector<IpAddress> &addresses, SystemClock::time_point at) {
    auto pki = Pki::ensure(folder, {"localhost", "kubernetes"}, addresses, at);
    EXPECT_TRUE(pki) << pki.error().what();
    return *pki;
  }

  fs::path folder;
  const SystemClock::time_point now = SystemClock::now();
};

TEST_F(controlplane_auth, keys_are_for_the_owner_only) {
  ensure({}, now);
  for (const char *name : {"ca.key", "apiserver.key"}) {
    struct stat facts {};
    ASSERT_EQ(::stat(file(name).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U) << name;
  }
}

TEST_F(controlplane_auth, the_servers_certificate_is_renewed_when_it_must_be_and_only_then) {
  const auto ip = *IpAddress::parse("10.0.0.1"), other = *IpAddress::parse("fd00::1");
  const auto pki = ensure({ip}, now);
  const auto first = *read_file(pki.certificateFile);
  const auto ca = *read_file(pki.authorityFile);
  const auto facts = read_certificate(first, ca);
  ASSERT_TRUE(facts) << facts.error().what();
  EXPECT_TRUE(facts->signed_by_authority);
  EXPECT_EQ(facts->dnsNames, (std::vector<std::string>{"kubernetes", "localhost"}));
  EXPECT_EQ(facts->addresses, std::vector{ip});
  ensure({ip}, now + 24h);
  EXPECT_EQ(*read_file(pki.certificateFile), first) << "nothing has changed";
  ensure({ip, other}, now);
  const auto second = *read_file(pki.certificateFile);
  EXPECT_NE(second, first) << "a name was added";
  ensure({ip, other}, now + 24h * 340);
  EXPECT_NE(*read_file(pki.certificateFile), second) << "it ends soon";
  EXPECT_EQ(*read_file(pki.authorityFile), ca) << "the CA stays";
}

TEST_F(controlplane_auth, a_kubeconfig_holds_a_certificate_for_its_user) {
  const auto pki = ensure({}, now);
  const auto text =
      make_kubeconfig(pki, "system:node:n1", {"system:nodes"}, "https://[::1]:6443", now);
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("server: \"https://[::1]:6443\""), std::string::npos);
  const std::string field = "client-certificate-data: ";
  const auto start = text->find(field) + field.size();
  const auto pem = base64_decode(text->substr(start, text->find('\n', start) - start));
  const auto facts = read_certificate(pem.value_or(""), pki.authority.certificate);
  ASSERT_TRUE(facts) << facts.error().what();
  EXPECT_EQ(facts->commonName, "system:node:n1");
  EXPECT_TRUE(facts->signed_by_authority);
}

TEST_F(controlplane_auth, a_folder_without_a_ca_says_what_to_do) {
  const auto pki = Pki::load(folder);
  ASSERT_FALSE(pki);
  EXPECT_NE(pki.error().what().find("--data-dir"), std::string::npos);
}

// ---- tokens ------------------------------------------------------------------------------------

TokenClaims robot(SystemClock::time_point expires) {
  TokenClaims claims;
  claims.namespace_ = "default";
  claims.serviceAccount = "robot";
  claims.serviceAccountUid = "u-1";
  claims.pod = "web";
  claims.podUid = "u-2";
  claims.expires = expires;
  return claims;
}

TEST_F(controlplane_auth, a_token_says_who_it_is_for_and_survives_a_restart) {
  auto issuer = TokenIssuer::load_or_create(file("sa.key"));
  ASSERT_TRUE(issuer) << issuer.error().what();
  const auto token = issuer->issue(robot(now + 1h), now);
  ASSERT_TRUE(token) << token.error().what();
  const auto again = TokenIssuer::load_or_create(file("sa.key"));
  const auto claims = again->verify(*token, now);
  ASSERT_TRUE(claims) << claims.error().what();
  EXPECT_EQ(claims->serviceAccount, "robot");
  EXPECT_EQ(claims->serviceAccountUid, "u-1");
  EXPECT_EQ(claims->podUid, "u-2");
}

TEST_F(controlplane_auth, tokens_that_are_old_changed_foreign_or_nonsense_are_refused) {
  auto issuer = TokenIssuer::load_or_create(file("sa.key"));
  auto stranger = TokenIssuer::load_or_create(file("other.key"));
  const auto token = *issuer->issue(robot(now + 1h), now);
  auto elsewhere = robot(now + 1h);
  elsewhere.audiences = {"vault"};
  auto changed = token;
  changed[changed.find('.') + 5] ^= 1;
  const auto unsigned_ = base64url_encode(R"({"alg":"none"})") + token.substr(token.find('.'));
  EXPECT_FALSE(issuer->verify(token, now + 2h)) << "expired";
  EXPECT_FALSE(issuer->verify(token, now - 1h)) << "not valid yet";
  EXPECT_FALSE(issuer->verify(changed, now));
  EXPECT_FALSE(issuer->verify(unsigned_, now));
  EXPECT_FALSE(issuer->verify(*stranger->issue(robot(now + 1h), now), now));
  EXPECT_FALSE(issuer->verify(*issuer->issue(elsewhere, now), now)) << "another audience";
  for (const char *nonsense : {"", ".", "..", "a.b.c", "x"})
    EXPECT_FALSE(issuer->verify(nonsense, now)) << nonsense;
}

// ---- authorizer --------------------------------------------------------------------------------

struct Case {
  const char *name;
  User user;
  Attributes request;
  bool expected;
};

User with_groups(const char *name, std::vector<std::string> groups) {
  return {name, "", std::move(groups), {}};
}

TEST(controlplane_authorizer, decides_by_user_verb_and_object) {
  const User admin = with_groups("root", {"system:masters", "system:authenticated"});
  const User node = with_groups("system:node:n1", {"system:nodes", "system:authenticated"});
  const User robot = with_groups("system:serviceaccount:default:robot",
                                 {"system:serviceaccounts", "system:authenticated"});
  const User proxy = with_groups("system:kube-proxy", {"system:authenticated"});
  const User nobody = with_groups("system:anonymous", {"system:unauthenticated"});
  const auto on = [](const char *verb, const char *group, const char *resource,
                     const char *space = "", const char *name = "", const char *part = "") {
    return Attributes{verb, group, "v1", resource, part, space, name, ""};
  };
  const auto path = [](const char *where) { return Attributes{.verb = "get", .path = where}; };
  const Case cases[] = {
      {"admin deletes nodes", admin, on("delete", "", "nodes", "", "n1"), true},
      {"anybody sees health", nobody, path("/livez"), true},
      {"anybody sees the version", nobody, path("/version"), true},
      {"nobody sees the API", nobody, path("/api"), false},
      {"nobody lists pods", nobody, on("list", "", "pods"), false},
      {"a service account discovers", robot, path("/apis/discovery.k8s.io/v1"), true},
      {"a service account watches services", robot, on("watch", "", "services"), true},
      {"a service account changes no service", robot, on("update", "", "services", "a", "b"),
       false},
      {"a service account asks about itself", robot,
       on("create", "authorization.k8s.io", "selfsubjectaccessreviews"), true},
      {"a node registers itself", node, on("create", "", "nodes"), true},
      {"a node writes its status", node, on("patch", "", "nodes", "", "n1", "status"), true},
      {"a node leaves others alone", node, on("patch", "", "nodes", "", "n2", "status"), false},
      {"a node renews its lease", node,
       on("update", "coordination.k8s.io", "leases", "kube-node-lease", "n1"), true},
      {"a node takes no other lease", node,
       on("update", "coordination.k8s.io", "leases", "kube-system", "n1"), false},
      {"a node reports on pods", node, on("patch", "", "pods", "default", "p", "status"), true},
      {"a node changes no pod", node, on("patch", "", "pods", "default", "p"), false},
      {"a node deletes no service", node, on("delete", "", "services", "default", "s"), false},
      {"a node reads the service ranges", node, on("watch", "networking.k8s.io", "servicecidrs"),
       true},
      {"kube-proxy watches slices", proxy, on("watch", "discovery.k8s.io", "endpointslices"), true},
      {"kube-proxy reads the service ranges", proxy,
       on("list", "networking.k8s.io", "servicecidrs"), true},
      {"kube-proxy reports events", proxy, on("create", "events.k8s.io", "events", "default"),
       true},
      {"kube-proxy reads no pods", proxy, on("list", "", "pods"), false},
      {"the name alone makes no node", with_groups("system:node:n1", {"system:authenticated"}),
       on("list", "", "services"), false},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(allowed(c.user, c.request), c.expected);
  }
}

TEST(controlplane_authorizer, says_what_was_refused_as_the_real_server_does) {
  const User user = with_groups("bob", {});
  EXPECT_EQ(denial(user, {"list", "", "v1", "pods", "", "default", "", ""}),
            "User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace "
            "\"default\"");
  EXPECT_EQ(denial(user, {"patch", "", "v1", "nodes", "status", "", "n", ""}),
            "User \"bob\" cannot patch resource \"nodes/status\" in API group \"\" at the cluster "
            "scope");
  EXPECT_EQ(denial(user, {.verb = "get", .path = "/metrics"}),
            "User \"bob\" cannot get path \"/metrics\"");
}

} // namespace
} // namespace sluice::controlplane
