#include "bench/proxy/proxy_process.hpp"

#include "bench/proxy/proc_files.hpp"
#include "kernel/iptables.hpp"

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sstream>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kReadyDeadline = 10min; // the first sync on an emulated machine
constexpr auto kCommitDeadline = 60s;

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

Result<UniqueFd> watch_file(const std::string &path) {
  UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd || ::inotify_add_watch(fd.get(), path.c_str(), IN_MODIFY) < 0)
    return fail(Error::from_errno(errno, "watch " + path));
  return fd;
}

std::size_t count(const std::string &text, const std::string &word) {
  std::size_t n = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++n;
  return n;
}

/// A rule of somebody, by which the daemon chooses the flavour of iptables.
Result<> show_flavour(const kernel::NetNs &where, const std::string &layout) {
  if (layout != "iptables-legacy")
    return {}; // nft where nothing is
  SLUICE_ASSIGN(auto tool,
                kernel::iptables::open_tool(
                    {.flavour = kernel::iptables::Flavour::legacy, .netns_fd = where.fd()}),
                "show the flavour");
  return tool->restore("*nat\n:BENCH - [0:0]\n-A BENCH -j RETURN\nCOMMIT\n");
}

std::string mode_of(const std::string &layout) { return layout.substr(0, layout.find('-')); }

std::vector<std::string> command_line(const ClusterApi &api, const std::string &folder,
                                      const ProxyOptions &options) {
  // build/bin/sluice-proxy, from build/bin/bench/proxy_sync or build/bin/tests/...
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  return {(self.parent_path().parent_path() / "sluice-proxy").string(),
          "--master=" + api.url(),
          "--proxy-mode=" + mode_of(options.layout),
          "--hostname-override=n1",
          "--cluster-cidr=10.244.0.0/16",
          "--service-cidrs=10.96.0.0/12",
          "--control-socket=" + folder + "/proxy.sock",
          options.commits == CommitsBy::log ? "--v=4" : "--v=2"};
}

/// Of the programs that it ran and that have ended.
std::chrono::nanoseconds cpu_of_programs(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat");
  // Behind the name, which may hold anything: field 3 and on, proc(5).
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string skipped;
  for (int field = 3; field < 16; ++field)
    fields >> skipped;
  long user = 0, system = 0;
  fields >> user >> system;
  return std::chrono::nanoseconds((user + system) * (1000000000 / ::sysconf(_SC_CLK_TCK)));
}

} // namespace

Result<std::unique_ptr<ProxyProcess>>
ProxyProcess::start(const kernel::NetNs &where, const ClusterApi &api, const ProxyOptions &wanted) {
  std::string folder = std::filesystem::temp_directory_path() / "slc-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    return fail(Error::from_errno(errno, "make " + folder));
  const auto log = folder + "/log";
  const UniqueFd out(::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  const bool logged = wanted.commits == CommitsBy::log;
  SLUICE_TRY(show_flavour(where, wanted.layout), "start sluice-proxy");
  kernel::SpawnOptions options;
  options.argv = command_line(api, folder, wanted);
  options.netns_fd = where.fd();
  options.stdout_fd = options.stderr_fd = out.get();
  options.parent_death_signal = SIGKILL;
  const auto begin = Clock::now();
  SLUICE_ASSIGN(auto child, kernel::spawn(options), "start sluice-proxy");
  std::unique_ptr<ProxyProcess> proxy(new ProxyProcess(std::move(child), folder));
  proxy->by_log_ = logged;
  SLUICE_TRY(proxy->wait_until_ready(), "start sluice-proxy");
  proxy->ready_after_ = Clock::now() - begin;
  // Not before: what is announced to a listener costs who commits.
  SLUICE_ASSIGN(proxy->commits_, logged ? watch_file(log) : where.run(open_monitor),
                "watch sluice-proxy");
  return proxy;
}

Result<> ProxyProcess::wait_until_ready() {
  const auto deadline = Clock::now() + kReadyDeadline;
  while (count(read_file(log_), "rules are in the kernel") < 2) {
    if (Clock::now() > deadline)
      return fail(Errc::timeout, "its rules did not come; its log: " + read_file(log_));
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
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec) +
         cpu_of_programs(child_.pid());
}

Memory ProxyProcess::memory() const {
  const auto status = read_file("/proc/" + std::to_string(child_.pid()) + "/status");
  return {megabytes(status, "VmRSS"), megabytes(status, "RssAnon"), megabytes(status, "VmHWM")};
}

void ProxyProcess::drain_commits() { (void)take_commits(); }

bool ProxyProcess::take_commits() {
  std::vector<std::uint8_t> buffer(64 * 1024);
  bool any = false;
  while (::read(commits_.get(), buffer.data(), buffer.size()) > 0 || errno == ENOBUFS)
    any = true;
  return by_log_ ? logged_a_commit() : any;
}

bool ProxyProcess::logged_a_commit() {
  std::ifstream log(log_);
  log.seekg(log_read_);
  const std::string text(std::istreambuf_iterator<char>(log), {});
  log_read_ += static_cast<std::streamoff>(text.size());
  return text.find("changes are in the kernel") != std::string::npos;
}

Result<Clock::time_point> ProxyProcess::next_commit() {
  const auto deadline = Clock::now() + kCommitDeadline;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wait{.fd = commits_.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) != 1)
      return fail(Errc::timeout, "no commit came within 60 s");
    const auto now = Clock::now();
    if (take_commits())
      return now;
  }
}

} // namespace sluice::bench
