#include "cni/policy_agent.hpp"

#include "net/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace sluice::cni {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAnswerLimit = 64 * 1024;

CniError failure(const std::string &socket, const std::string &what) {
  return {Code::try_again, "policy agent at \"" + socket + "\": " + what,
          "see that sluice-netpol runs on this node"};
}

Outcome<UniqueFd> connect_to(const std::string &socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    return fail(failure(socket, std::strerror(errno)));
  return fd;
}

/// A line is far smaller than a socket's buffer: all of it is taken at once, or none.
Outcome<> send_line(int fd, const std::string &socket, const std::string &line) {
  const auto text = line + "\n";
  if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    return fail(failure(socket, std::string("send: ") + std::strerror(errno)));
  return {};
}

bool wait_for_input(int fd, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd waiting{fd, POLLIN, 0};
  return left > 0 && ::poll(&waiting, 1, static_cast<int>(left)) > 0;
}

Outcome<std::string> read_line(int fd, const std::string &socket, Clock::time_point deadline) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.find('\n') == std::string::npos && text.size() < kAnswerLimit) {
    if (!wait_for_input(fd, deadline))
      return fail(failure(socket, "no answer in time"));
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0)
      return fail(failure(socket, "it hung up without an answer"));
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text.substr(0, text.find('\n'));
}

Outcome<> read_answer(const std::string &socket, const std::string &line) {
  const auto document = JsonDocument::parse(line);
  bool ok = false;
  if (!document || !ObjectReader(document->root(), "").read("ok", ok))
    return fail(failure(socket, "it answered \"" + line + "\""));
  if (ok)
    return {};
  std::string message = "it refused";
  if (const auto error = ObjectReader(document->root(), "").object("error"); error && *error)
    (void)(*error)->read("message", message);
  return fail(failure(socket, message));
}

Json pod_object(const char *verb, const Request &request) {
  const auto &environment = request.environment;
  const auto args = parse_args(environment.args);
  const auto kubernetes = [&](const char *key) -> std::string {
    if (!args || args->kubernetes.count(key) == 0)
      return {};
    return args->kubernetes.at(key);
  };
  return {{"verb", verb},
          {"containerID", environment.attachment.container_id},
          {"ifname", environment.attachment.ifname},
          {"netns", environment.netns},
          {"namespace", kubernetes("K8S_POD_NAMESPACE")},
          {"pod", kubernetes("K8S_POD_NAME")},
          {"uid", kubernetes("K8S_POD_UID")}};
}

} // namespace

Outcome<PolicyConfig> parse_policy_config(const NetworkConfig &network) {
  PolicyConfig config;
  const auto top = top_of(network);
  std::string mode = "none";
  SLUICE_PASS(top.read("policy", mode));
  if (mode == "wait")
    config.mode = PolicyMode::wait;
  else if (mode == "require")
    config.mode = PolicyMode::require;
  else if (mode != "none")
    return fail(top.wrong("policy", "it is \"none\", \"wait\" or \"require\""));
  SLUICE_PASS(top.read("policySocket", config.socket));
  if (config.socket.empty() || config.socket.size() >= sizeof(sockaddr_un::sun_path))
    return fail(top.wrong("policySocket", "it is the path of a socket, at most 107 bytes"));
  return config;
}

std::string pod_added_line(const Request &request, const AddResult &result) {
  auto object = pod_object("pod-added", request);
  auto ips = Json::array();
  for (const auto &ip : result.ips)
    ips.push_back(ip.address.ip.str());
  object["ips"] = std::move(ips);
  return to_text(object);
}

std::string pod_removed_line(const Request &request) {
  return to_text(pod_object("pod-removed", request));
}

Outcome<> ask_policy_agent(const std::string &socket, const std::string &line,
                           std::chrono::milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  SLUICE_TAKE(const auto fd, connect_to(socket));
  SLUICE_PASS(send_line(fd.get(), socket, line));
  SLUICE_TAKE(const auto answer, read_line(fd.get(), socket, end));
  return read_answer(socket, answer);
}

void tell_policy_agent(const std::string &socket, const std::string &line) {
  if (const auto fd = connect_to(socket))
    (void)send_line(fd->get(), socket, line);
}

Outcome<> policy_agent_status(const std::string &socket) {
  const auto fd = connect_to(socket);
  if (!fd)
    return fail(Code::unavailable, fd.error().message(), fd.error().details());
  return {};
}

} // namespace sluice::cni
