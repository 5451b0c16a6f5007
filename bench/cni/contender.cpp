#include "bench/cni/contender.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace sluice::bench {
namespace {

[[noreturn]] void give_up(const std::string &why) {
  std::fprintf(stderr, "cni: %s\n", why.c_str());
  std::exit(1);
}

/// The programs lie beside this one: <build>/bin/bench/cni, <build>/bin/sluice.
std::string own_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().string();
}

std::string make_folder() {
  char name[] = "/var/tmp/slc-bench-XXXXXX";
  const char *made = ::mkdtemp(name);
  if (!made)
    give_up("cannot make a folder under /var/tmp");
  return made;
}

constexpr const char *kContainer =
    "5f1c0e5bd0f8a7d6c3b2a1908f7e6d5c4b3a29181716151413121110f0e0d0c0";

std::size_t count_lines(const std::string &file, const std::string &part) {
  std::ifstream in(file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);)
    count += line.find(part) != std::string::npos ? 1U : 0U;
  return count;
}

} // namespace

Contender::Contender(const std::string &kind, bool masquerade)
    : name_((kind == "sluice" ? "sluice" : "Debian bridge + host-local") +
            std::string(masquerade ? " with ipMasq" : "")),
      program_(kind == "sluice" ? own_folder() + "/sluice" : "/usr/lib/cni/bridge"),
      folder_(make_folder()), host_(kernel::NetNs::create().value()) {
  if (::access(program_.c_str(), X_OK) != 0)
    give_up(program_ + " is missing");
  config_ =
      R"({"cniVersion":"1.0.0","name":"bench","type":"bridge","bridge":"cni0","isDefaultGateway":true,"hairpinMode":true,"ipMasq":)" +
      std::string(masquerade ? "true" : "false") + R"(,"ipam":{"type":")" +
      (kind == "sluice" ? "sluice-ipam" : "host-local") + R"(","dataDir":")" + folder_ +
      R"(","ranges":[[{"subnet":"10.77.0.0/16"}]]}})";
}

Contender::~Contender() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Contender::Added Contender::call(const std::string &program, cni::Command command,
                                 const kernel::NetNs &pod, const std::string &config) {
  const cni::Variables variables = {
      {"CNI_COMMAND", std::string(cni::name_of(command))},
      {"CNI_CONTAINERID", kContainer},
      {"CNI_NETNS", "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(pod.fd())},
      {"CNI_IFNAME", "eth0"},
      {"CNI_PATH", "/usr/lib/cni"},
      {"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=bench"},
      {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  const auto done = host_.run([&]() -> Result<Added> {
    const auto begin = std::chrono::steady_clock::now();
    auto run = cni::run_plugin(program, variables, config);
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - begin;
    if (!run)
      return fail(Errc::io, run.error().message());
    if (run->exit_status != 0)
      return fail(Errc::kernel, run->output);
    return Added{taken.count(), std::move(run->output)};
  });
  if (!done)
    give_up(name_ + ": " + std::string(cni::name_of(command)) + ": " + done.error().what());
  return *done;
}

Contender::Added Contender::add(const kernel::NetNs &pod) {
  return call(program_, cni::Command::add, pod, config_);
}

double Contender::del(const kernel::NetNs &pod, const std::string &result) {
  const auto config = config_.substr(0, config_.size() - 1) + ",\"prevResult\":" + result + "}";
  return call(program_, cni::Command::del, pod, config).microseconds;
}

std::string Contender::count_calls() {
  const std::string strace = "/usr/bin/strace";
  if (::access(strace.c_str(), X_OK) != 0)
    return "strace is not installed | -";
  // A script in between: a plugin is called without arguments.
  const auto script = folder_ + "/traced", log = folder_ + "/strace.log";
  std::ofstream(script) << "#!/bin/sh\nexec " << strace << " -f -qq -o " << log << " " << program_
                        << "\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const auto pod = kernel::NetNs::create().value();
  const auto added = call(script, cni::Command::add, pod, config_);
  const auto calls = count_lines(log, "(");
  const auto sends = count_lines(log, "sendto(") + count_lines(log, "sendmsg(");
  del(pod, added.output);
  return std::to_string(calls) + " | " + std::to_string(sends);
}

} // namespace sluice::bench
