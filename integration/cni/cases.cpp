#include "integration/cni/cases.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::integration {

using nlohmann::json;

bool has_check(const std::string &version) { return version >= "0.4.0"; }
bool has_status(const std::string &version) { return version >= "1.1.0"; }

std::string at(const std::string &version, std::string config) {
  const std::string key = "\"cniVersion\":\"";
  const auto found = config.find(key + "1.1.0");
  return found == std::string::npos ? config : config.replace(found + key.size(), 5, version);
}

std::string value_at(const std::string &text, const std::string &pointer) {
  const auto document = json::parse(text, nullptr, false);
  const json::json_pointer where(pointer);
  if (document.is_discarded() || !document.contains(where))
    return {};
  const auto &value = document.at(where);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

unsigned code_of(const std::string &text) {
  const auto code = value_at(text, "/code");
  return code.empty() ? 0 : static_cast<unsigned>(std::stoul(code));
}

bool same_json(const std::string &a, const std::string &b) {
  const auto first = json::parse(a, nullptr, false), second = json::parse(b, nullptr, false);
  return !first.is_discarded() && first == second;
}

Runtime::Runtime() {
  for (const auto *name : {"bridge", "ptp", "host-local", "loopback", "portmap", "bandwidth",
                           "tuning", "flannel", "sluice", "sluice-ipam"})
    (void)program(name);
}

std::string Runtime::script(const std::string &name, const std::string &text) {
  const auto path = folder().path() + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_file(path, "#!/bin/sh\n" + text + "\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

std::string Runtime::added(const std::string &name, const std::string &id,
                           const std::string &config, const cni::Variables &variables) {
  const auto run = named(name, Command::add, id, config, variables);
  EXPECT_EQ(run.exit_status, 0) << run.output;
  return run.output;
}

void Runtime::removed(const std::string &name, const std::string &id, const std::string &config,
                      const cni::Variables &variables) {
  const auto run = named(name, Command::del, id, config, variables);
  EXPECT_EQ(run.exit_status, 0) << run.output;
  EXPECT_EQ(run.output, "");
}

void Runtime::expect_nothing_left() {
  EXPECT_EQ(reserved(), "");
  EXPECT_EQ(on_host("ip -br link show type veth"), "");
}

} // namespace sluice::integration
