#include "podlet/store.hpp"

#include "kernel/files.hpp"

#include <nlohmann/json.hpp>

namespace sluice::podlet {
namespace {

using nlohmann::json;

std::int64_t to_ms(Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Time from_ms(std::int64_t ms) { return Time(std::chrono::milliseconds(ms)); }

json to_document(const ContainerState &container) {
  json document{{"phase", static_cast<int>(container.phase)},
                {"reason", container.reason},
                {"message", container.message},
                {"pid", container.pid},
                {"startTicks", container.start_ticks},
                {"started", to_ms(container.started)},
                {"restarts", container.restarts},
                {"shortLives", container.short_lives},
                {"nextStart", to_ms(container.next_start)},
                {"ready", container.ready}};
  if (container.last)
    document["last"] = {{"exitCode", container.last->exit_code},
                        {"signal", container.last->signal},
                        {"reason", container.last->reason},
                        {"started", to_ms(container.last->started)},
                        {"finished", to_ms(container.last->finished)}};
  return document;
}

ContainerState to_container(const json &document) {
  ContainerState container;
  container.phase = static_cast<ContainerState::Phase>(document.at("phase").get<int>());
  container.reason = document.at("reason");
  container.message = document.at("message");
  container.pid = document.at("pid");
  container.start_ticks = document.at("startTicks");
  container.started = from_ms(document.at("started"));
  container.restarts = document.at("restarts");
  container.short_lives = document.at("shortLives");
  container.next_start = from_ms(document.at("nextStart"));
  container.ready = document.at("ready");
  if (document.contains("last")) {
    const auto &last = document["last"];
    container.last = Termination{last.at("exitCode"), last.at("signal"), last.at("reason"),
                                 from_ms(last.at("started")), from_ms(last.at("finished"))};
  }
  return container;
}

json to_list(const std::vector<ContainerState> &containers) {
  auto list = json::array();
  for (const auto &container : containers)
    list.push_back(to_document(container));
  return list;
}

std::vector<ContainerState> to_containers(const json &list) {
  std::vector<ContainerState> containers;
  for (const auto &entry : list)
    containers.push_back(to_container(entry));
  return containers;
}

} // namespace

std::string to_json(const Record &record) {
  auto ips = json::array();
  for (const auto &ip : record.state.ips)
    ips.push_back(ip.str());
  return json{{"namespace", record.namespace_},
              {"name", record.name},
              {"uid", record.uid},
              {"sandboxID", record.sandbox_id},
              {"hostNetwork", record.host_network},
              {"netns", record.netns},
              {"cniList", record.cni_list},
              {"cniResult", record.cni_result},
              {"graceSeconds", record.grace_seconds},
              {"ips", ips},
              {"started", to_ms(record.state.started)},
              {"init", to_list(record.state.init)},
              {"containers", to_list(record.state.containers)}}
             .dump(2) +
         "\n";
}

Result<Record> parse_record(std::string_view text) {
  try {
    const auto document = json::parse(text);
    Record record;
    record.namespace_ = document.at("namespace");
    record.name = document.at("name");
    record.uid = document.at("uid");
    record.sandbox_id = document.at("sandboxID");
    record.host_network = document.at("hostNetwork");
    record.netns = document.at("netns");
    record.cni_list = document.at("cniList");
    record.cni_result = document.at("cniResult");
    record.grace_seconds = document.at("graceSeconds");
    record.state.started = from_ms(document.at("started"));
    record.state.init = to_containers(document.at("init"));
    record.state.containers = to_containers(document.at("containers"));
    for (const auto &ip : document.at("ips")) {
      SLUICE_ASSIGN(auto parsed, IpAddress::parse(ip.get<std::string>()), "read state.json");
      record.state.ips.push_back(parsed);
    }
    return record;
  } catch (const json::exception &error) {
    return fail(Errc::invalid_input, std::string("read state.json: ") + error.what());
  }
}

Result<> Store::save(const Record &record) const {
  const auto folder = folder_of(record.uid);
  SLUICE_TRY(kernel::make_folders(folder, 0700), "remember the pod");
  return kernel::write_file(folder + "/state.json", to_json(record), 0600);
}

std::vector<Record> Store::load_all(std::vector<std::string> &broken) const {
  std::vector<Record> records;
  for (const auto &uid : kernel::names_in(folder_)) {
    auto record = parse_record(kernel::read_file(folder_of(uid) + "/state.json").value_or(""));
    if (record)
      records.push_back(std::move(*record));
    else
      broken.push_back(uid);
  }
  return records;
}

Result<> Store::remove(const std::string &uid) const { return kernel::remove_tree(folder_of(uid)); }

} // namespace sluice::podlet
