#include "ipam/plugin.hpp"

#include "cni/protocol/exec.hpp"
#include "ipam/allocator.hpp"
#include "ipam/config.hpp"
#include "ipam/store.hpp"
#include "net/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace sluice::ipam {

using cni::AddResult;
using cni::Attachment;
using cni::Code;
using cni::Outcome;
using cni::Request;

namespace {

Outcome<cni::Dns> read_resolv_conf(const std::string &file) {
  if (file.empty())
    return cni::Dns{};
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd)
    return fail(Code::io, Error::from_errno(errno, "read ipam.resolvConf \"" + file + "\"").what());
  SLUICE_ASSIGN(const auto text, cni::read_to_end(fd.get()),
                "read ipam.resolvConf \"" + file + "\"");
  return parse_resolv_conf(text);
}

std::vector<std::optional<IpAddress>> read_last(Store &store, std::size_t sets) {
  std::vector<std::optional<IpAddress>> last;
  for (std::size_t i = 0; i < sets; ++i)
    last.push_back(store.last_reserved(i));
  return last;
}

Outcome<> write_choice(Store &store, const Choice &choice, const Attachment &attachment) {
  SLUICE_TAKE(const bool done, store.reserve(choice.ip, attachment));
  if (!done)
    return fail(Code::try_again, "address " + choice.ip.str() + " was taken in spite of the lock",
                "another program writes to the address store without locking it");
  return store.set_last_reserved(choice.set, choice.ip);
}

/// Records that nobody finished writing belong to nobody.
Outcome<> release_interrupted(Store &store) {
  std::vector<IpAddress> interrupted;
  for (const auto &record : store.records())
    if (record.container_id.empty())
      interrupted.push_back(record.ip);
  for (const auto &ip : interrupted)
    SLUICE_PASS(store.release(ip));
  return {};
}

/// All or nothing.
Outcome<> write_choices(Store &store, const std::vector<Choice> &choices,
                        const Attachment &attachment) {
  for (auto choice = choices.begin(); choice != choices.end(); ++choice)
    if (auto written = write_choice(store, *choice, attachment); !written) {
      for (auto undo = choices.begin(); undo != choice; ++undo)
        (void)store.release(undo->ip);
      return written;
    }
  return {};
}

/// What of `records` this attachment holds. A record without interface name counts only if there is
/// none with it.
std::vector<Record> held_by(const std::vector<Record> &records, const Attachment &attachment) {
  std::vector<Record> exact, old;
  for (const auto &record : records)
    if (record.belongs_to(attachment))
      (record.ifname.empty() ? old : exact).push_back(record);
  return exact.empty() ? old : exact;
}

Outcome<std::vector<Choice>> allocate(Store &store, const IpamConfig &config,
                                      const Attachment &attachment) {
  SLUICE_PASS(store.scan());
  SLUICE_TAKE(auto choices,
              choose(config, read_last(store, config.sets.size()), store.records(), attachment));
  SLUICE_PASS(release_interrupted(store));
  SLUICE_PASS(write_choices(store, choices, attachment));
  return choices;
}

/// The next free address, found by trying: round robin seldom meets one that is taken.
Outcome<Choice> reserve_next(Store &store, const IpamConfig &config, std::size_t set,
                             const Attachment &attachment) {
  constexpr int kTries = 16;
  Candidates candidates(config.sets[set], store.last_reserved(set));
  for (int i = 0; i < kTries; ++i) {
    const auto ip = candidates.next();
    if (!ip)
      break;
    SLUICE_TAKE(const bool done, store.reserve(*ip, attachment));
    if (!done)
      continue;
    SLUICE_PASS(store.set_last_reserved(set, *ip));
    return Choice{set, *ip, *config.sets[set].find(*ip)};
  }
  return fail(Code::try_again, "no free address among the next");
}

/// Empty if the index is of no help: only the records can say then what is so and why.
std::vector<Choice> allocate_by_index(Store &store, const IpamConfig &config,
                                      const Attachment &attachment) {
  const auto held = store.find_by_index(attachment);
  if (!held || !held->empty() || !config.requested.empty())
    return {};
  std::vector<Choice> choices;
  for (std::size_t set = 0; set < config.sets.size(); ++set) {
    auto choice = reserve_next(store, config, set, attachment);
    if (!choice) {
      for (const auto &undo : choices)
        (void)store.release(undo.ip);
      return {};
    }
    choices.push_back(std::move(*choice));
  }
  return choices;
}

/// The records of the attachment, each read. The index is believed if it names some.
Outcome<std::vector<Record>> find_held(Store &store, const Attachment &attachment) {
  if (auto held = store.find_by_index(attachment); held && !held->empty())
    return std::move(*held);
  SLUICE_PASS(store.scan());
  return held_by(store.records(), attachment);
}

AddResult result_of(const IpamConfig &config, const std::vector<Choice> &choices, cni::Dns dns) {
  AddResult result;
  for (const auto &choice : choices)
    result.ips.push_back(
        {{choice.ip, choice.range.subnet.prefix_length()}, choice.range.gateway, std::nullopt});
  result.routes = config.routes;
  result.dns = std::move(dns);
  return result;
}

bool is_valid(const Record &record, const std::set<Attachment> &valid) {
  return std::any_of(valid.begin(), valid.end(),
                     [&](const Attachment &attachment) { return record.belongs_to(attachment); });
}

/// The nearest folder that exists must be writable: that is where ADD would begin.
bool can_write(std::string folder) {
  while (::access(folder.c_str(), F_OK) != 0 && folder.size() > 1) {
    const auto slash = folder.rfind('/');
    folder = slash == 0 || slash == std::string::npos ? "/" : folder.substr(0, slash);
  }
  return ::access(folder.c_str(), W_OK) == 0;
}

} // namespace

Outcome<AddResult> IpamPlugin::add(const Request &request) const {
  SLUICE_TAKE(const auto config, parse_ipam_config(request.config, request.environment.args));
  SLUICE_TAKE(auto dns, read_resolv_conf(config.resolv_conf));
  const auto &attachment = request.environment.attachment;
  const auto doing = "allocate addresses of network \"" + request.config.name + "\"";
  SLUICE_ASSIGN(auto store, Store::open(store_folder(request.config)), doing);
  auto choices = allocate_by_index(store, config, attachment);
  if (choices.empty()) {
    SLUICE_ASSIGN(choices, allocate(store, config, attachment), doing);
  }
  store.save_index();
  return result_of(config, choices, std::move(dns));
}

Outcome<> IpamPlugin::del(const Request &request) const {
  const auto doing = "release addresses of network \"" + request.config.name + "\"";
  SLUICE_ASSIGN(auto store, Store::open_existing(store_folder(request.config)), doing);
  if (!store)
    return {};
  SLUICE_ASSIGN(const auto held, find_held(*store, request.environment.attachment), doing);
  for (const auto &record : held)
    SLUICE_TRY(store->release(record.ip), doing);
  SLUICE_TRY(release_interrupted(*store), doing);
  store->save_index();
  return {};
}

Outcome<> IpamPlugin::check(const Request &request) const {
  const auto &attachment = request.environment.attachment;
  SLUICE_TAKE(auto store, Store::open_existing(store_folder(request.config)));
  if (store) {
    SLUICE_TAKE(const auto held, find_held(*store, attachment));
    if (!held.empty())
      return {};
  }
  return fail(Code::check_failed, "container \"" + attachment.container_id + "\" interface \"" +
                                      attachment.ifname + "\" has no address in the store \"" +
                                      store_folder(request.config) + "\"");
}

Outcome<> IpamPlugin::status(const Request &request) const {
  const auto folder = store_folder(request.config);
  SLUICE_TAKE(auto config, parse_ipam_config(request.config, request.environment.args));
  if (!can_write(folder))
    return fail(Code::unavailable, "the address store \"" + folder + "\" cannot be written");
  SLUICE_TAKE(auto store, Store::open_existing(folder));
  if (!store)
    return {};
  SLUICE_PASS(store->scan());
  config.requested.clear();
  const auto free = choose(config, read_last(*store, config.sets.size()), store->records(), {});
  if (!free)
    return fail(Code::unavailable, free.error().message(), free.error().details());
  return {};
}

Outcome<> IpamPlugin::gc(const Request &request) const {
  const auto doing = "collect addresses of network \"" + request.config.name + "\"";
  SLUICE_ASSIGN(auto store, Store::open_existing(store_folder(request.config)), doing);
  if (!store)
    return {};
  SLUICE_TRY(store->scan(), doing);
  const auto records = store->records();
  for (const auto &record : records)
    if (!is_valid(record, *request.config.valid_attachments))
      SLUICE_TRY(store->release(record.ip), doing);
  store->save_index();
  return {};
}

} // namespace sluice::ipam
