#include "kube/kubeconfig.hpp"

#include "kube/testing/pki.hpp"

#include <cstdlib>

namespace sluice::kube {
namespace {

using testing::TempFolder;

constexpr const char *kGood = R"(apiVersion: v1
kind: Config
current-context: one
clusters:
- name: c1
  cluster: {server: "https://[fd00::1]:6443", certificate-authority: pki/ca.crt, tls-server-name: api}
- name: c2
  cluster: {server: "https://two", certificate-authority-data: aGVsbG8=, insecure-skip-tls-verify: true}
users:
- name: u1
  user: {client-certificate: /abs/u.crt, client-key-data: a2V5}
- name: u2
  user: {token: secret, tokenFile: tok}
contexts:
- name: one
  context: {cluster: c1, user: u1, namespace: x}
- name: two
  context: {cluster: c2, user: u2}
- name: anonymous
  context: {cluster: c1}
)";

TEST(kubeconfig, the_current_context_is_taken_and_paths_are_relative_to_the_file) {
  const TempFolder folder;
  const auto config = read_kubeconfig(folder.write("config", kGood));
  ASSERT_TRUE(config) << config.error().what();
  EXPECT_EQ(config->server, "https://[fd00::1]:6443");
  EXPECT_EQ(config->certificateAuthority.file, folder.path("pki/ca.crt"));
  EXPECT_EQ(config->tlsServerName, "api");
  EXPECT_EQ(config->clientCertificate.file, "/abs/u.crt");
  EXPECT_EQ(config->clientKey.data, "key");
  EXPECT_FALSE(config->insecureSkipTlsVerify);
}

TEST(kubeconfig, another_context_can_be_named_and_inline_data_is_decoded) {
  const TempFolder folder;
  const std::string path = folder.write("config", kGood);
  const auto config = read_kubeconfig(path, "two");
  ASSERT_TRUE(config) << config.error().what();
  EXPECT_EQ(config->certificateAuthority.data, "hello");
  EXPECT_TRUE(config->insecureSkipTlsVerify);
  EXPECT_EQ(config->token, "secret");
  EXPECT_EQ(config->tokenFile, folder.path("tok"));
  EXPECT_TRUE(read_kubeconfig(path, "anonymous"));
}

TEST(kubeconfig, a_json_file_is_read_too) {
  const TempFolder folder;
  const auto config = read_kubeconfig(folder.write(
      "config",
      R"({"current-context":"a","clusters":[{"name":"a","cluster":{"server":"https://h"}}],
                    "contexts":[{"name":"a","context":{"cluster":"a"}}]})"));
  ASSERT_TRUE(config) << config.error().what();
  EXPECT_EQ(config->server, "https://h");
}

TEST(kubeconfig, files_of_a_list_are_merged_the_first_one_that_has_a_name_wins) {
  const TempFolder folder;
  const std::string first =
      folder.write("first", "current-context: two\n"
                            "clusters: [{name: c2, cluster: {server: 'https://first'}}]\n");
  const std::string second = folder.write("second", kGood);
  const auto config = read_kubeconfig(first + ":" + folder.path("missing") + ":" + second);
  ASSERT_TRUE(config) << config.error().what();
  EXPECT_EQ(config->server, "https://first");
  EXPECT_EQ(config->token, "secret");
}

TEST(kubeconfig, what_is_wrong_is_named_with_file_and_key) {
  const std::string base =
      "current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n";
  const std::string cluster = "clusters: [{name: a, cluster: {server: 'https://h'}}]\n";
  const struct {
    const char *name;
    std::string text;
    Errc code;
    const char *says;
    int line;
  } kCases[] = {
      {"not YAML", "a: [", Errc::invalid_input, "not YAML", __LINE__},
      {"not a map", "- a", Errc::invalid_input, "not a map", __LINE__},
      {"empty", "", Errc::invalid_input, "not a map", __LINE__},
      {"no current context", cluster, Errc::invalid_input, "current-context", __LINE__},
      {"an unknown context", "current-context: b\n", Errc::not_found, "context \"b\"", __LINE__},
      {"an unknown cluster", base, Errc::not_found, "cluster \"a\"", __LINE__},
      {"an unknown user", base + cluster, Errc::not_found, "user \"a\"", __LINE__},
      {"no server", base + "clusters: [{name: a}]\n", Errc::invalid_input, "server is missing",
       __LINE__},
      {"a list where a map is due", base + "clusters: {a: b}\n", Errc::invalid_input,
       "clusters must be a list", __LINE__},
      {"data that is not base64",
       base + "clusters: [{name: a, cluster: {server: x, certificate-authority-data: '*'}}]\n",
       Errc::invalid_input, "certificate-authority-data is not base64", __LINE__},
      {"a flag that is no flag",
       base + "clusters: [{name: a, cluster: {server: x, insecure-skip-tls-verify: maybe}}]\n",
       Errc::invalid_input, "insecure-skip-tls-verify", __LINE__},
      {"a proxy", base + "clusters: [{name: a, cluster: {server: x, proxy-url: y}}]\n",
       Errc::unsupported, "proxy-url", __LINE__},
      {"an exec plugin", base + cluster + "users: [{name: a, user: {exec: {command: x}}}]\n",
       Errc::unsupported, "user \"a\": exec is not supported", __LINE__},
      {"an auth provider",
       base + cluster + "users: [{name: a, user: {auth-provider: {name: x}}}]\n", Errc::unsupported,
       "auth-provider", __LINE__},
      {"a certificate without its key",
       base + cluster + "users: [{name: a, user: {client-certificate: x}}]\n", Errc::invalid_input,
       "client-key", __LINE__},
  };
  const TempFolder folder;
  for (const auto &c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " (line " + std::to_string(c.line) + ")");
    const std::string path = folder.write("config", c.text);
    const auto config = read_kubeconfig(path);
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code(), c.code) << config.error().what();
    EXPECT_NE(config.error().what().find(c.says), std::string::npos) << config.error().what();
    EXPECT_NE(config.error().what().find(path), std::string::npos) << config.error().what();
  }
  EXPECT_EQ(read_kubeconfig(folder.path("nowhere")).error().code(), Errc::not_found);
}

class InCluster : public ::testing::Test {
protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("KUBERNETES_SERVICE_PORT");
  }
};

TEST_F(InCluster, variables_and_files_of_the_pod_are_used) {
  EXPECT_EQ(in_cluster_config().error().code(), Errc::not_found);
  ::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  const auto config = in_cluster_config("/secrets");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->server, "https://[fd00::1]:443");
  EXPECT_EQ(config->tokenFile, "/secrets/token");
  EXPECT_EQ(config->certificateAuthority.file, "/secrets/ca.crt");
}

TEST_F(InCluster, master_replaces_the_server) {
  const TempFolder folder;
  const auto config = client_config(folder.write("config", kGood), "https://other:1");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->server, "https://other:1");
  EXPECT_EQ(config->tlsServerName, "api");
  EXPECT_EQ(client_config("", "http://127.0.0.1:8080")->server, "http://127.0.0.1:8080");
  EXPECT_FALSE(client_config("", ""));
}

} // namespace
} // namespace sluice::kube
