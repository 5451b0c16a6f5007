#include "kube/daemon/control_socket.hpp"

#include "kube/daemon/unix_socket.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <list>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::kube::daemon {
namespace {

using nlohmann::json;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::size_t kRequestLimit = 1U << 20;
constexpr std::size_t kAnswerLimit = 1U << 30; // a dump of everything
constexpr std::size_t kMaxConnections = 128;
constexpr std::chrono::seconds kAnswerTimeout(30); // for a client that does not read
constexpr std::chrono::seconds kLastAnswers(1);    // for the same at the end

json error_object(const Error &error) {
  return {{"ok", false},
          {"error", {{"code", std::string(name_of(error.code()))}, {"message", error.what()}}}};
}

Errc code_named(const std::string &name) {
  for (int code = 0; code <= static_cast<int>(Errc::kernel); ++code)
    if (name_of(static_cast<Errc>(code)) == name)
      return static_cast<Errc>(code);
  return Errc::io;
}

Result<json> run_verb(const ControlServer::Verbs &verbs, const json &request) {
  if (!request.is_object() || !request.contains("verb") || !request["verb"].is_string())
    return fail(Errc::invalid_input, "a request is a JSON object with a string \"verb\"");
  const std::string &verb = request["verb"].get_ref<const std::string &>();
  const auto found = verbs.find(verb);
  if (found == verbs.end())
    return fail(Errc::unsupported, "there is no verb \"" + verb + "\"");
  return found->second(request);
}

// Text may come from anywhere, so bytes that are no UTF-8 are replaced, not refused.
std::string to_text(const json &object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

std::string answer_line(const ControlServer::Verbs &verbs, std::string_view line) {
  const json request = json::parse(line, nullptr, false);
  if (request.is_discarded())
    return to_text(error_object({Errc::invalid_input, "the request is not JSON"}));
  try {
    Result<json> result = run_verb(verbs, request);
    if (!result)
      return to_text(error_object(result.error()));
    json answer = result->is_object() ? std::move(*result) : json::object();
    answer["ok"] = true;
    return to_text(answer);
  } catch (const json::exception &error) { // a field of the request has the wrong type
    return to_text(error_object({Errc::invalid_input, error.what()}));
  } catch (const std::exception &error) {
    return to_text(error_object({Errc::io, error.what()}));
  }
}

struct ControlServer::Impl {
  struct Connection {
    UniqueFd fd;
    std::thread thread;
    std::atomic<bool> over{false};
  };

  std::string path;
  Verbs verbs;
  UniqueFd listener;
  std::atomic<bool> stopping{false};
  std::mutex mutex; // guards `connections`
  std::list<Connection> connections;
  std::thread acceptor;

  void accept_all();
  void serve(Connection &connection) const;
  void add(UniqueFd fd);
  void reap();
  bool all_over();
  void stop();
};

void ControlServer::Impl::accept_all() {
  while (!stopping) {
    UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (stopping)
      return;
    reap();
    if (fd)
      add(std::move(fd));
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
      ::poll(nullptr, 0, 100); // others must close first
  }
}

void ControlServer::Impl::add(UniqueFd fd) {
  const std::lock_guard lock(mutex);
  if (connections.size() >= kMaxConnections)
    return; // closes it
  Connection &connection = connections.emplace_back();
  connection.fd = std::move(fd);
  connection.thread = std::thread([this, &connection] {
    serve(connection);
    ::shutdown(connection.fd.get(), SHUT_RDWR);
    connection.over = true;
  });
}

void ControlServer::Impl::reap() {
  const std::lock_guard lock(mutex);
  for (auto at = connections.begin(); at != connections.end();) {
    if (!at->over) {
      ++at;
      continue;
    }
    at->thread.join();
    at = connections.erase(at);
  }
}

void ControlServer::Impl::serve(Connection &connection) const {
  LineChannel channel(connection.fd.get(), kRequestLimit);
  while (!stopping) {
    auto line = channel.read_line(Deadline::max());
    std::string answer;
    if (line && !*line)
      return;
    if (line)
      answer = answer_line(verbs, **line);
    else
      answer = to_text(error_object({Errc::invalid_input, line.error().what()}));
    const auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
    if (!channel.write_line(std::move(answer), deadline) || !line)
      return;
  }
}

bool ControlServer::Impl::all_over() {
  return std::all_of(connections.begin(), connections.end(),
                     [](const Connection &connection) { return connection.over.load(); });
}

/// Nobody is added to `connections` any more once the acceptor has ended.
void ControlServer::Impl::stop() {
  stopping = true;
  ::shutdown(listener.get(), SHUT_RDWR); // wakes accept4
  acceptor.join();
  for (Connection &connection : connections)
    ::shutdown(connection.fd.get(), SHUT_RD);
  // Whoever asked for the end by a verb is to get its answer.
  const auto deadline = std::chrono::steady_clock::now() + kLastAnswers;
  while (!all_over() && std::chrono::steady_clock::now() < deadline)
    ::poll(nullptr, 0, 1);
  for (Connection &connection : connections)
    ::shutdown(connection.fd.get(), SHUT_RDWR);
  for (Connection &connection : connections)
    connection.thread.join();
  ::unlink(path.c_str());
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string &path, Verbs verbs) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error)
    return fail(Error::from_errno(error.value(), "make the folder \"" + folder.string() + "\""));
  auto impl = std::make_unique<Impl>();
  SLUICE_ASSIGN(impl->listener, listen_unix(path), "start the control socket");
  impl->path = path;
  impl->verbs = std::move(verbs);
  impl->acceptor = std::thread([raw = impl.get()] { raw->accept_all(); });
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() { impl_->stop(); }

Result<json> control_call(const std::string &path, const json &request,
                          std::chrono::milliseconds timeout) {
  const std::string doing = "ask \"" + path + "\"";
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  SLUICE_ASSIGN(const UniqueFd socket, connect_unix(path), doing);
  LineChannel channel(socket.get(), kAnswerLimit);
  SLUICE_TRY(channel.write_line(to_text(request), deadline), doing);
  SLUICE_ASSIGN(const std::optional<std::string> line, channel.read_line(deadline), doing);
  if (!line)
    return fail(Errc::unavailable, doing + ": the daemon closed the connection");
  json answer = json::parse(*line, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok"))
    return fail(Errc::io,
                doing + ": the answer is not what a daemon answers: " + line->substr(0, 200));
  if (answer["ok"] == true)
    return answer;
  const json error = answer.value("error", json::object());
  return fail(code_named(error.value("code", "")), error.value("message", "no message"));
}

} // namespace sluice::kube::daemon
