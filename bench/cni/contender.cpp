#include "bench/cni/contender.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace sluice::bench {
namespace {

[[noreturn]] void give_up(const std::string &why) {
  std::fprintf(stderr, "cni: %s\n", why.c_str());
  std::exit(1);
}

std::string make_folder() {
  char name[] = "/var/tmp/slc-bench-XXXXXX";
  const char *made = ::mkdtemp(name);
  if (!made)
    give_up("cannot make a folder under /var/tmp");
  return made;
}

/// Numbers first: the floor's link has the first ten characters in its name.
std::string container_id(int id) {
  char text[65];
  std::snprintf(text, sizeof text, "%010x%054x", static_cast<unsigned>(id), 0);
  return text;
}

std::size_t count_lines(const std::string &file, const std::string &part) {
  std::ifstream in(file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);)
    count += line.find(part) != std::string::npos ? 1U : 0U;
  return count;
}

struct Used {
  double cpu_us, page_faults;
};

Used used_by_children() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto us = [](const timeval &time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return {us(used.ru_utime) + us(used.ru_stime),
          static_cast<double>(used.ru_minflt + used.ru_majflt)};
}

} // namespace

std::string own_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().string();
}

Contender::Contender(Kind kind)
    : kind_(std::move(kind)), folder_(make_folder()), host_(kernel::NetNs::create().value()) {
  if (::access(kind_.program.c_str(), X_OK) != 0)
    give_up(kind_.program + " is missing");
  const bool ours = kind_.program.ends_with("/sluice");
  config_ = R"({"cniVersion":"1.0.0","name":"bench","type":"bridge",)" + kind_.members +
            R"("ipam":{"type":")" + (ours ? "sluice-ipam" : "host-local") + R"(","dataDir":")" +
            folder_ + R"(","ranges":[[{"subnet":"10.77.0.0/16"}])" +
            (kind_.dual_stack ? R"(,[{"subnet":"fd77::/64"}])" : "") + "]}}";
  if (kind_.rules > 0)
    add_rules();
  for (int i = 0; i < kind_.pods; ++i)
    add(i + 1'000'000, present_.emplace_back(kernel::NetNs::create().value()));
}

Contender::~Contender() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Contender::add_rules() const {
  const auto file = folder_ + "/rules.nft";
  std::ofstream out(file);
  out << "table ip foreign {\n chain c {\n";
  for (int i = 0; i < kind_.rules; ++i)
    out << "  ip daddr 10." << 100 + i / 65536 << "." << i / 256 % 256 << "." << i % 256
        << " counter accept\n";
  out << " }\n}\n";
  out.close();
  const auto loaded = host_.run([&]() -> Result<> {
    const auto run =
        cni::run_program("/usr/sbin/nft", {"-f", file}, {}, "", std::chrono::minutes(1));
    if (!run || run->exit_status != 0)
      return fail(Errc::io, "nft -f " + file);
    return {};
  });
  if (!loaded)
    give_up(loaded.error().what());
}

Contender::Done Contender::call(const std::string &program, cni::Command command, int id,
                                const kernel::NetNs &pod, const std::string &config) const {
  const cni::Variables variables = {
      {"CNI_COMMAND", std::string(cni::name_of(command))},
      {"CNI_CONTAINERID", container_id(id)},
      {"CNI_NETNS", "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(pod.fd())},
      {"CNI_IFNAME", "eth0"},
      {"CNI_PATH", std::filesystem::path(kind_.program).parent_path()},
      {"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=bench"},
      {"FLOOR_DIR", folder_},
      {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  const auto done = host_.run([&]() -> Result<Done> {
    const auto before = used_by_children();
    const auto begin = std::chrono::steady_clock::now();
    auto run = cni::run_plugin(program, variables, config);
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - begin;
    const auto after = used_by_children();
    if (!run)
      return fail(Errc::io, run.error().message());
    if (run->exit_status != 0)
      return fail(Errc::kernel, run->output);
    return Done{taken.count(), after.cpu_us - before.cpu_us, after.page_faults - before.page_faults,
                std::move(run->output)};
  });
  if (!done)
    give_up(kind_.name + ": " + std::string(cni::name_of(command)) + ": " + done.error().what());
  return *done;
}

Contender::Done Contender::add(int id, const kernel::NetNs &pod) const {
  return call(kind_.program, cni::Command::add, id, pod, config_);
}

Contender::Done Contender::del(int id, const kernel::NetNs &pod, const std::string &result) const {
  const auto config = config_.substr(0, config_.size() - 1) + ",\"prevResult\":" + result + "}";
  return call(kind_.program, cni::Command::del, id, pod, config);
}

std::string Contender::count_calls() const {
  const std::string strace = "/usr/bin/strace";
  if (::access(strace.c_str(), X_OK) != 0)
    return "strace is not installed | -";
  // A script in between: a plugin is called without arguments.
  const auto script = folder_ + "/traced", log = folder_ + "/strace.log";
  std::ofstream(script) << "#!/bin/sh\nexec " << strace << " -f -qq -o " << log << " "
                        << kind_.program << "\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const auto pod = kernel::NetNs::create().value();
  const auto added = call(script, cni::Command::add, 1, pod, config_);
  const auto calls = count_lines(log, "(");
  const auto sends = count_lines(log, "sendto(") + count_lines(log, "sendmsg(");
  del(1, pod, added.output);
  return std::to_string(calls) + " | " + std::to_string(sends);
}

} // namespace sluice::bench
