#include "bench/proxy/proxy_process.hpp"

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;

/// Every commit of the namespace is announced here.
Result<UniqueFd> open_monitor() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  const sockaddr_nl address{.nl_family = AF_NETLINK};
  const int group = NFNLGRP_NFTABLES, room = 8 << 20;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
      ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
    return fail(Error::from_errno(errno, "watch nf_tables"));
  return fd;
}

std::string read_file(const std::string &path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

double megabytes(const std::string &status, const std::string &field) {
  const auto at = status.find(field + ":");
  return at == std::string::npos ? 0 : std::atof(status.c_str() + at + field.size() + 1) / 1024;
}

std::size_t count(const std::string &text, const std::string &word) {
  std::size_t n = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++n;
  return n;
}

} // namespace

Result<std::unique_ptr<ProxyProcess>> ProxyProcess::start(const kernel::NetNs &where,
                                                          const ClusterApi &api) {
  SLUICE_ASSIGN(auto monitor, where.run(open_monitor), "start sluice-proxy");
  std::string folder = std::filesystem::temp_directory_path() / "slc-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    return fail(Error::from_errno(errno, "make " + folder));
  const auto log = folder + "/log";
  const UniqueFd out(::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  kernel::SpawnOptions options;
  // build/bin/sluice-proxy, from build/bin/bench/proxy_sync or build/bin/tests/...
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  options.argv = {(self.parent_path().parent_path() / "sluice-proxy").string(),
                  "--master=" + api.url(),
                  "--hostname-override=n1",
                  "--cluster-cidr=10.244.0.0/16",
                  "--service-cidrs=10.96.0.0/12",
                  "--control-socket=" + folder + "/proxy.sock"};
  options.netns_fd = where.fd();
  options.stdout_fd = options.stderr_fd = out.get();
  options.parent_death_signal = SIGKILL;
  const auto begin = Clock::now();
  SLUICE_ASSIGN(auto child, kernel::spawn(options), "start sluice-proxy");
  std::unique_ptr<ProxyProcess> proxy(new ProxyProcess(std::move(child), std::move(monitor)));
  proxy->folder_ = folder;
  SLUICE_TRY(proxy->wait_until_ready(log), "start sluice-proxy");
  proxy->ready_after_ = Clock::now() - begin;
  return proxy;
}

Result<> ProxyProcess::wait_until_ready(const std::string &log) {
  const auto deadline = Clock::now() + 120s;
  while (count(read_file(log), "rules are in the kernel") < 2) {
    if (Clock::now() > deadline)
      return fail(Errc::timeout, "its rules did not come; its log: " + read_file(log));
    ::usleep(2000);
  }
  return {};
}

ProxyProcess::~ProxyProcess() {
  (void)child_.stop(5s);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::chrono::nanoseconds ProxyProcess::cpu() const {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(child_.pid(), &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Memory ProxyProcess::memory() const {
  const auto status = read_file("/proc/" + std::to_string(child_.pid()) + "/status");
  return {megabytes(status, "VmRSS"), megabytes(status, "RssAnon"), megabytes(status, "VmHWM")};
}

void ProxyProcess::drain_commits() {
  std::vector<std::uint8_t> buffer(64 * 1024);
  while (::recv(monitor_.get(), buffer.data(), buffer.size(), 0) > 0 || errno == ENOBUFS)
    continue;
}

Result<Clock::time_point> ProxyProcess::next_commit() {
  pollfd wait{.fd = monitor_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, 10000) != 1)
    return fail(Errc::timeout, "no commit came within 10 s");
  const auto now = Clock::now();
  drain_commits();
  return now;
}

} // namespace sluice::bench
