#include "cni/tests/driver.hpp"

#include "net/ip_address.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace sluice::cni {

Driver::Driver() : host_(kernel::NetNs::create().value()) {}

const kernel::NetNs &Driver::pod(const std::string &id) {
  const auto found = pods_.find(id);
  return found != pods_.end() ? found->second
                              : pods_.emplace(id, kernel::NetNs::create().value()).first->second;
}

std::string Driver::netns_of(const std::string &id) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(pod(id).fd());
}

std::string Driver::config(const std::string &members, const std::string &ipam) const {
  return R"({"cniVersion":"1.1.0","name":"net","type":"sluice","bridge":"cni0",)" + members +
         R"("ipam":{"dataDir":")" + temp_.path() + "\"," + ipam + "}}";
}

std::string Driver::usual() const {
  return config(
      R"("isDefaultGateway":true,"hairpinMode":true,"ipMasq":true,)",
      R"("type":"sluice-ipam","ranges":[[{"subnet":"10.77.0.0/24"}],[{"subnet":"fd77::/64"}]])");
}

Variables Driver::variables_of(Command command, const std::string &id) {
  Variables variables = {
      {"CNI_COMMAND", std::string(name_of(command))},
      {"CNI_CONTAINERID", id},
      {"CNI_IFNAME", "eth0"},
      {"CNI_PATH", std::string(SLUICE_BIN_DIR) + ":/usr/lib/cni"},
      {"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + id},
      {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
  if (command == Command::add || command == Command::check || pods_.count(id) > 0)
    variables["CNI_NETNS"] = netns_of(id);
  return variables;
}

std::string Driver::program(const std::string &name) const {
  const auto path = temp_.path() + "/bin/" + name;
  std::error_code exists;
  std::filesystem::create_directory(temp_.path() + "/bin", exists);
  std::filesystem::create_symlink(std::string(SLUICE_BIN_DIR) + "/sluice", path, exists);
  return path;
}

PluginRun Driver::call(Command command, const std::string &id, const std::string &config,
                       const Variables &variables, const std::string &program) {
  auto all = variables_of(command, id);
  for (const auto &[name, value] : variables)
    all[name] = value;
  const auto file = program.empty() ? std::string(SLUICE_BIN_DIR) + "/sluice" : program;
  const auto run = host_.run([&]() -> Result<PluginRun> {
    auto done = run_plugin(file, all, config);
    if (!done)
      return fail(Errc::io, done.error().message());
    return std::move(*done);
  });
  return run ? *run : PluginRun{-1, run.error().what()};
}

std::string Driver::shell(const kernel::NetNs &ns, const std::string &command) {
  return ns
      .run([&]() -> Result<std::string> {
        std::string text;
        auto *pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "re");
        std::array<char, 4096> buffer{};
        for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
          text.append(buffer.data(), got);
        ::pclose(pipe);
        return text;
      })
      .value();
}

std::string Driver::reserved() const {
  std::string text;
  std::error_code missing;
  std::set<IpAddress> ips;
  for (const auto &entry : std::filesystem::directory_iterator(store(), missing))
    if (const auto ip = IpAddress::parse(entry.path().filename().string()))
      ips.insert(*ip);
  for (const auto &ip : ips)
    text += (text.empty() ? "" : " ") + ip.str();
  return text;
}

std::string with_previous(const std::string &config, const std::string &result) {
  return config.substr(0, config.rfind('}')) + ",\"prevResult\":" + result + "}";
}

} // namespace sluice::cni
