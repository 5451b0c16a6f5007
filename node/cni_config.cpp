#include "node/cni_config.hpp"

#include "net/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unistd.h>

namespace sluice::node {
namespace {

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

} // namespace

std::string cni_config_text(const Settings &settings, const std::vector<Cidr> &pod_cidrs) {
  using Json = nlohmann::ordered_json;
  auto ranges = Json::array(), routes = Json::array();
  for (const auto &cidr : pod_cidrs) {
    ranges.push_back(Json::array({Json{{"subnet", cidr.str()}}}));
    routes.push_back(Json{{"dst", cidr.family() == Family::ipv4 ? "0.0.0.0/0" : "::/0"}});
  }
  Json plugin{
      {"type", "sluice"}, {"bridge", settings.bridge}, {"isGateway", true}, {"hairpinMode", true}};
  if (settings.mtu_bytes != 0)
    plugin["mtu"] = settings.mtu_bytes;
  plugin["ipam"] = Json{{"type", "sluice-ipam"}, {"ranges", ranges}, {"routes", routes}};
  const Json list{{"cniVersion", "1.0.0"}, {"name", "sluice"}, {"plugins", Json::array({plugin})}};
  return list.dump(2) + "\n";
}

CniConfigFile::CniConfigFile(std::string folder, std::string name)
    : path_(std::move(folder) + "/" + std::move(name)) {}

Result<std::string> CniConfigFile::read() const {
  std::ifstream file(path_);
  if (!file)
    return std::string();
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<> CniConfigFile::write(const std::string &text) const {
  const auto doing = "write CNI configuration " + quoted(path_);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  if (error)
    return fail(Error::from_errno(error.value(), doing));
  // Runtimes read only names that end in .conf, .conflist or .json.
  const auto temporary = path_ + ".new";
  const UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd || !write_all(fd.get(), text) || ::fsync(fd.get()) != 0 ||
      ::rename(temporary.c_str(), path_.c_str()) != 0) {
    const int err = errno;
    ::unlink(temporary.c_str());
    return fail(Error::from_errno(err, doing));
  }
  return {};
}

Result<> CniConfigFile::remove() const {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
    return fail(Error::from_errno(errno, "remove CNI configuration " + quoted(path_)));
  return {};
}

} // namespace sluice::node
