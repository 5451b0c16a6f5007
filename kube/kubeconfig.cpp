#include "kube/kubeconfig.hpp"

#include "net/base64.hpp"

#include <cstdlib>
#include <filesystem>
#include <vector>
#include <yaml-cpp/yaml.h>

namespace sluice::kube {
namespace {

namespace fs = std::filesystem;

// A named entry ("clusters: - name: x, cluster: {...}") and the file that it is from.
struct Entry {
  YAML::Node body;
  std::string file;
  std::string what; ///< "cluster \"x\"", for messages
};

struct Merged {
  std::map<std::string, Entry, std::less<>> clusters, users, contexts;
  std::string current;
};

tl::unexpected<Error> bad(const std::string &file, const std::string &problem) {
  return fail(Errc::invalid_input, "kubeconfig \"" + file + "\": " + problem);
}

Result<std::string> text_of(const Entry &entry, const char *key) {
  const YAML::Node value = entry.body[key];
  if (!value || value.IsNull())
    return std::string();
  if (!value.IsScalar())
    return bad(entry.file, entry.what + ": " + key + " must be a string");
  return value.Scalar();
}

Result<bool> flag_of(const Entry &entry, const char *key) {
  SLUICE_ASSIGN(const std::string text, text_of(entry, key), "read a flag");
  if (text.empty() || text == "false")
    return false;
  if (text == "true")
    return true;
  return bad(entry.file, entry.what + ": " + key + " must be true or false");
}

Result<std::string> file_of(const Entry &entry, const char *key) {
  SLUICE_ASSIGN(const std::string text, text_of(entry, key), "read a file name");
  if (text.empty() || text.front() == '/')
    return text;
  return (fs::path(entry.file).parent_path() / text).string();
}

/// "<key>-data" in base64, which wins, or "<key>" as a file.
Result<PemSource> pem_of(const Entry &entry, const char *key) {
  PemSource source;
  const std::string data_key = std::string(key) + "-data";
  SLUICE_ASSIGN(const std::string data, text_of(entry, data_key.c_str()), "read a certificate");
  if (data.empty()) {
    SLUICE_ASSIGN(source.file, file_of(entry, key), "read a certificate");
    return source;
  }
  const auto decoded = base64_decode(data);
  if (!decoded)
    return bad(entry.file, entry.what + ": " + data_key + " is not base64");
  source.data = *decoded;
  return source;
}

/// Entries of one list; the first file that has a name wins, as kubectl merges.
Result<> merge_list(const YAML::Node &root, const std::string &file, const char *list,
                    const char *kind, std::map<std::string, Entry, std::less<>> &into) {
  const YAML::Node entries = root[list];
  if (!entries || entries.IsNull())
    return {};
  if (!entries.IsSequence())
    return bad(file, std::string(list) + " must be a list");
  for (const YAML::Node &entry : entries) {
    if (!entry.IsMap() || !entry["name"] || !entry["name"].IsScalar())
      return bad(file, std::string("an entry of ") + list + " has no name");
    const std::string name = entry["name"].Scalar();
    const std::string what = std::string(kind) + " \"" + name + "\"";
    const YAML::Node body = entry[kind];
    if (body && !body.IsNull() && !body.IsMap())
      return bad(file, what + ": " + kind + " must be a map");
    into.try_emplace(
        name, Entry{body && body.IsMap() ? body : YAML::Node(YAML::NodeType::Map), file, what});
  }
  return {};
}

Result<> merge_file(const std::string &file, Merged &merged) {
  YAML::Node root;
  try {
    root = YAML::LoadFile(file);
  } catch (const YAML::BadFile &) {
    return fail(Errc::not_found, "kubeconfig \"" + file + "\": cannot be read");
  } catch (const YAML::Exception &error) {
    return bad(file, "is not YAML: " + std::string(error.what()));
  }
  if (!root.IsMap())
    return bad(file, "is not a map of clusters, users and contexts");
  SLUICE_TRY(merge_list(root, file, "clusters", "cluster", merged.clusters), "read");
  SLUICE_TRY(merge_list(root, file, "users", "user", merged.users), "read");
  SLUICE_TRY(merge_list(root, file, "contexts", "context", merged.contexts), "read");
  const YAML::Node current = root["current-context"];
  if (merged.current.empty() && current && current.IsScalar())
    merged.current = current.Scalar();
  return {};
}

Result<Merged> merge_files(const std::string &paths) {
  Merged merged;
  std::size_t found = 0;
  std::vector<std::string> files;
  for (std::string_view rest = paths; !rest.empty();) {
    const std::string_view file = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(file.size() + 1, rest.size()));
    if (!file.empty())
      files.emplace_back(file);
  }
  for (const std::string &file : files) {
    // In a list, a file that does not exist is no error (kubectl).
    std::error_code ignored;
    if (files.size() > 1 && !fs::exists(file, ignored))
      continue;
    SLUICE_TRY(merge_file(file, merged), "read the configuration of the API client");
    ++found;
  }
  if (found == 0)
    return fail(Errc::not_found, "kubeconfig \"" + paths + "\": no such file");
  return merged;
}

Result<> refuse_keys(const Entry &entry, std::initializer_list<const char *> keys,
                     const char *advice) {
  for (const char *key : keys)
    if (const YAML::Node value = entry.body[key]; value && !value.IsNull())
      return fail(Errc::unsupported, "kubeconfig \"" + entry.file + "\": " + entry.what + ": " +
                                         key + " is not supported; " + advice);
  return {};
}

Result<> read_cluster(const Entry &entry, ClientConfig &config) {
  SLUICE_TRY(refuse_keys(entry, {"proxy-url"}, "name a server that can be reached directly"),
             "read the cluster");
  SLUICE_ASSIGN(config.server, text_of(entry, "server"), "read the cluster");
  SLUICE_ASSIGN(config.tlsServerName, text_of(entry, "tls-server-name"), "read the cluster");
  SLUICE_ASSIGN(config.insecureSkipTlsVerify, flag_of(entry, "insecure-skip-tls-verify"),
                "read the cluster");
  SLUICE_ASSIGN(config.certificateAuthority, pem_of(entry, "certificate-authority"),
                "read the cluster");
  if (config.server.empty())
    return bad(entry.file, entry.what + ": server is missing");
  return {};
}

Result<> read_user(const Entry &entry, ClientConfig &config) {
  SLUICE_TRY(refuse_keys(entry, {"exec", "auth-provider", "username", "password"},
                         "use a client certificate, a token or a tokenFile"),
             "read the user");
  SLUICE_ASSIGN(config.clientCertificate, pem_of(entry, "client-certificate"), "read the user");
  SLUICE_ASSIGN(config.clientKey, pem_of(entry, "client-key"), "read the user");
  SLUICE_ASSIGN(config.token, text_of(entry, "token"), "read the user");
  SLUICE_ASSIGN(config.tokenFile, file_of(entry, "tokenFile"), "read the user");
  if (config.clientCertificate.empty() != config.clientKey.empty())
    return bad(entry.file,
               entry.what + ": client-certificate and client-key must be given together");
  return {};
}

Result<const Entry *> find(const std::map<std::string, Entry, std::less<>> &entries,
                           const std::string &name, const char *kind, const std::string &paths) {
  const auto found = entries.find(name);
  if (found == entries.end())
    return fail(Errc::not_found,
                "kubeconfig \"" + paths + "\": there is no " + kind + " \"" + name + "\"");
  return &found->second;
}

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

} // namespace

Result<ClientConfig> read_kubeconfig(const std::string &paths, const std::string &context) {
  SLUICE_ASSIGN(const Merged merged, merge_files(paths), "read the kubeconfig");
  const std::string &name = context.empty() ? merged.current : context;
  if (name.empty())
    return fail(Errc::invalid_input, "kubeconfig \"" + paths +
                                         "\": has no current-context; set one with \"kubectl "
                                         "config use-context\"");
  ClientConfig config;
  SLUICE_ASSIGN(const Entry *chosen, find(merged.contexts, name, "context", paths), "choose");
  SLUICE_ASSIGN(const std::string cluster_name, text_of(*chosen, "cluster"), "choose");
  SLUICE_ASSIGN(const Entry *cluster, find(merged.clusters, cluster_name, "cluster", paths),
                "context \"" + name + "\"");
  SLUICE_TRY(read_cluster(*cluster, config), "context \"" + name + "\"");
  SLUICE_ASSIGN(const std::string user_name, text_of(*chosen, "user"), "choose");
  if (!user_name.empty()) {
    SLUICE_ASSIGN(const Entry *user, find(merged.users, user_name, "user", paths),
                  "context \"" + name + "\"");
    SLUICE_TRY(read_user(*user, config), "context \"" + name + "\"");
  }
  return config;
}

Result<ClientConfig> in_cluster_config(const std::string &folder) {
  const std::string host = variable("KUBERNETES_SERVICE_HOST");
  const std::string port = variable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty())
    return fail(Errc::not_found,
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not in a "
                "cluster; name a kubeconfig with --kubeconfig");
  ClientConfig config;
  const bool v6 = host.find(':') != std::string::npos;
  config.server = "https://" + (v6 ? "[" + host + "]" : host) + ":" + port;
  config.tokenFile = folder + "/token";
  config.certificateAuthority.file = folder + "/ca.crt";
  return config;
}

Result<ClientConfig> client_config(const std::string &kubeconfig, const std::string &master) {
  if (kubeconfig.empty() && !master.empty()) {
    auto inside = in_cluster_config();
    ClientConfig config = inside ? std::move(*inside) : ClientConfig{};
    config.server = master;
    return config;
  }
  auto config = kubeconfig.empty() ? in_cluster_config() : read_kubeconfig(kubeconfig);
  if (config && !master.empty())
    config->server = master;
  return config;
}

} // namespace sluice::kube
