#include "podlet/node_agent.hpp"

#include "kernel/files.hpp"
#include "kube/daemon/log.hpp"
#include "podlet/cni_list.hpp"

#include <ctime>
#include <nlohmann/json.hpp>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

namespace sluice::podlet {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
namespace log = kube::daemon;

constexpr std::chrono::seconds kLeasePeriod{10};
constexpr std::chrono::seconds kStatusPeriod{300};
constexpr std::chrono::milliseconds kLook{250}; ///< for a CNI configuration that came or went
constexpr int kLeaseSeconds = 40;
constexpr const char *kVersion = "v1.32.0+sluice";
constexpr const char *kLeaseNamespace = "kube-node-lease";

std::string trimmed_file(const std::string &path) {
  auto text = kernel::read_file(path).value_or("");
  return text.substr(0, text.find('\n'));
}

std::string os_image() {
  const auto text = kernel::read_file("/etc/os-release").value_or("");
  const std::string key = "PRETTY_NAME=\"";
  const auto start = text.find(key);
  if (start == std::string::npos)
    return "Linux";
  const auto from = start + key.size();
  return text.substr(from, text.find('"', from) - from);
}

std::string go_architecture(const std::string &machine) {
  if (machine == "x86_64")
    return "amd64";
  return machine == "aarch64" ? "arm64" : machine;
}

/// RFC 3339 with microseconds, as Lease has it.
std::string micro_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s.%06ldZ", date, now.tv_nsec / 1000);
  return text;
}

std::vector<kube::Condition> conditions_in(const json &node) {
  std::vector<kube::Condition> conditions;
  for (const auto &entry : node.value(json::json_pointer("/status/conditions"), json::array()))
    conditions.push_back({entry.value("type", ""), entry.value("status", ""), "", "",
                          entry.value("lastTransitionTime", "")});
  return conditions;
}

} // namespace

NodeFacts read_node_facts(std::string name, std::vector<IpAddress> ips) {
  NodeFacts facts;
  facts.name = std::move(name);
  facts.ips = std::move(ips);
  facts.version = kVersion;
  facts.machine_id = trimmed_file("/etc/machine-id");
  facts.os_image = os_image();
  utsname system{};
  ::uname(&system);
  facts.kernel_version = system.release;
  facts.architecture = go_architecture(system.machine);
  struct sysinfo memory {};
  ::sysinfo(&memory);
  facts.memory_bytes = static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit;
  facts.cpus = static_cast<unsigned>(std::max(1, ::get_nprocs()));
  return facts;
}

NodeAgent::NodeAgent(kube::ApiClient &client, NodeFacts facts, std::string cni_conf_dir)
    : client_(client), facts_(std::move(facts)), cni_conf_dir_(std::move(cni_conf_dir)),
      thread_([this] { run(); }) {}

NodeAgent::~NodeAgent() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool NodeAgent::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

std::string NodeAgent::why_not_ready() const {
  const auto list = load_network_list(cni_conf_dir_);
  return list ? "" : "the network is not ready: " + list.error().what();
}

void NodeAgent::run() {
  Clock::time_point lease_due, status_due;
  std::string reported = "nothing yet";
  do {
    const auto now = Clock::now();
    facts_.not_ready = why_not_ready();
    Result<> done;
    if (facts_.not_ready != reported || now >= status_due) {
      done = report();
      if (done) {
        log::log_info(facts_.not_ready.empty() ? "the node is ready" : "the node is not ready",
                      {{"node", facts_.name}, {"why", facts_.not_ready}});
        reported = facts_.not_ready;
        status_due = now + kStatusPeriod;
      }
    }
    if (done && now >= lease_due) {
      done = renew_lease();
      if (done)
        lease_due = now + kLeasePeriod;
    }
    if (!done)
      log::log_debug("cannot report the node yet", {{"error", done.error()}});
  } while (sleep(kLook));
}

Result<> NodeAgent::report() {
  const auto &kind = kube::rest_of<kube::Node>();
  std::vector<kube::Condition> conditions;
  const auto before = client_.get(kind, {"", facts_.name});
  if (before)
    conditions = conditions_in(*before);
  else if (before.error().code() != Errc::not_found)
    return fail(before.error());
  const auto object = node_object(facts_, conditions, std::chrono::system_clock::now());
  if (!before) {
    auto created = client_.create_object(kind, "", object);
    if (!created && created.error().code() != Errc::already_exists)
      return fail(std::move(created.error()));
  } else if (auto labelled = client_.merge_patch(kind, {"", facts_.name},
                                                 {{"metadata", object.at("metadata")}});
             !labelled) {
    return fail(std::move(labelled.error()));
  }
  auto patched =
      client_.merge_patch(kind, {"", facts_.name}, {{"status", object.at("status")}}, "status");
  if (!patched)
    return fail(std::move(patched.error()));
  return {};
}

Result<> NodeAgent::renew_lease() {
  const auto &kind = kube::rest_of<kube::Lease>();
  const kube::ObjectKey key{kLeaseNamespace, facts_.name};
  const auto time = micro_time();
  auto renewed = client_.merge_patch(
      kind, key, {{"spec", {{"holderIdentity", facts_.name}, {"renewTime", time}}}});
  if (!renewed && renewed.error().code() == Errc::not_found)
    renewed = client_.create_object(kind, kLeaseNamespace,
                                    {{"apiVersion", "coordination.k8s.io/v1"},
                                     {"kind", "Lease"},
                                     {"metadata", {{"name", facts_.name}}},
                                     {"spec",
                                      {{"holderIdentity", facts_.name},
                                       {"leaseDurationSeconds", kLeaseSeconds},
                                       {"renewTime", time}}}});
  if (!renewed)
    return fail(std::move(renewed.error()).in("renew the node's lease"));
  return {};
}

} // namespace sluice::podlet
