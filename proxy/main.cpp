// sluice-proxy: reads its flags, runs the daemon, waits for a signal.

#include "kernel/files.hpp"
#include "kube/daemon/log.hpp"
#include "proxy/clean_up.hpp"
#include "proxy/daemon.hpp"
#include "proxy/process.hpp"

#include <cstdio>
#include <malloc.h>
#include <unistd.h>

namespace sluice::proxy {
namespace {

using kube::daemon::log_info;
using kube::daemon::log_warning;

/// As kube-proxy names the Node: --hostname-override or the host's name, in lower case.
Result<std::string> node_name(const ProxyOptions &options) {
  auto name = options.hostnameOverride;
  if (name.empty()) {
    std::array<char, 256> buffer{};
    if (::gethostname(buffer.data(), buffer.size() - 1) != 0)
      return fail(Error::from_errno(errno, "read the host's name"));
    name = buffer.data();
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

/// Runs until it is told to stop. A configuration that needs other sockets or another API server
/// is run with in the same process; if that fails, the one from before is.
Result<> serve(const CommandLine &line, ProxyOptions options) {
  kube::daemon::Metrics metrics;
  count_reload(metrics);
  std::optional<ProxyOptions> before;
  Layout last;
  for (;;) {
    SLUICE_ASSIGN(auto name, node_name(options), "find our Node's name");
    settle_process(options);
    Daemon daemon(line, options, name, metrics, last);
    if (auto started = daemon.start(); !started) {
      if (!before)
        return fail(std::move(started.error()));
      refuse_reload(metrics, started.error());
      options = std::move(*std::exchange(before, std::nullopt));
      continue;
    }
    log_info("sluice-proxy started", {{"node", name}, {"mode", options.mode}});
    daemon.run();
    if (!daemon.next())
      break;
    before = daemon.options();
    last = daemon.layout();
    options = *daemon.next();
  }
  log_info("sluice-proxy ends; the rules stay in the kernel");
  return {};
}

Result<> run(const CommandLine &line) {
  SLUICE_ASSIGN(auto options, load_options(line), "sluice-proxy");
  if (!options.own.writeConfigTo.empty())
    return kernel::write_file(options.own.writeConfigTo, config::to_yaml(options.config));
  if (options.own.cleanup)
    return clean_up();
  SLUICE_ASSIGN(const auto warning, check_families(options, families_of_host()), "sluice-proxy");
  if (!warning.empty())
    options.warnings.push_back(warning);
  for (const auto &text : options.warnings)
    log_warning("configuration", {{"what", text}});
  if (options.own.initOnly) {
    settle_process(options);
    return {};
  }
  return serve(line, std::move(options));
}

} // namespace
} // namespace sluice::proxy

int main(int argc, char **argv) {
  using namespace sluice;
  // Threads hand objects over to the loop: with a heap for each, none of them would shrink.
  ::mallopt(M_ARENA_MAX, 1);
  if (auto blocked = kube::daemon::block_signals(); !blocked) {
    kube::daemon::log_error("cannot block signals", {{"error", blocked.error()}});
    return 1;
  }
  const auto line = proxy::parse_command_line(argc, argv);
  if (line.exitCode) {
    std::fputs(line.text.c_str(), *line.exitCode == 0 ? stdout : stderr);
    return *line.exitCode;
  }
  if (auto done = proxy::run(line); !done) {
    kube::daemon::log_error("sluice-proxy ends", {{"error", done.error()}});
    return 1;
  }
  return 0;
}
