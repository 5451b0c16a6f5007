// The store's files, between zero bytes: last_reserved_ip.0, the index, then the records of
// 10.77.0.2, 10.77.0.3 and so on. Whatever they hold, no address is given out twice, nobody's
// record is removed for somebody else, and GC clears all.
#include "cni/protocol/fuzz/require.hpp"
#include "ipam/plugin.hpp"
#include "ipam/record_index.hpp"
#include "ipam/tests/temp_folder.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>

namespace sluice::ipam {
namespace {

using cni::Attachment;
using cni::require;
using cni::worked;

const Attachment kPod = {"c1", "eth0"};
constexpr timespec kStamp = {1'000'000'000, 0};

/// A record by address; one that nobody finished is left out.
using Records = std::map<std::string, Record>;

class Node {
public:
  Node() {
    request_.environment.attachment = kPod;
    auto config = cni::parse_config(R"({"cniVersion":"1.1.0","name":"net","type":"sluice-ipam",)"
                                    R"("cni.dev/valid-attachments":[],"ipam":{"dataDir":")" +
                                        temp_.path() + R"(","subnet":"10.77.0.0/29"}})",
                                    cni::Strictness::strict);
    request_.config = std::move(*config);
  }

  void write(std::string_view files) {
    std::filesystem::remove_all(store_);
    std::filesystem::create_directory(store_);
    write_file(store_ + "/last_reserved_ip.0", take(files));
    write_file(store_ + "/" + kIndexName, take(files) + stamp_line(kStamp));
    for (int last = 2; !files.empty() && last < 7; ++last)
      write_file(store_ + "/10.77.0." + std::to_string(last), take(files));
    // The index counts as fresh.
    const std::array<timespec, 2> times = {{{0, UTIME_OMIT}, kStamp}};
    ::utimensat(AT_FDCWD, store_.c_str(), times.data(), 0);
  }

  Records records() const {
    Records found;
    for (const auto &entry : std::filesystem::directory_iterator(store_)) {
      const auto name = entry.path().filename().string();
      const auto ip = IpAddress::parse(name);
      const auto record = ip ? parse_record(*ip, file_content(entry.path())) : Record{};
      if (!record.container_id.empty())
        found.emplace(name, record);
    }
    return found;
  }

  void add() const {
    const auto before = records();
    const auto added = plugin_.add(request_);
    const auto after = records();
    if (!worked(added)) {
      require(after == before, "a failed ADD changes no record", added.error().message());
      return;
    }
    require(added->ips.size() == 1, "one address");
    const auto ip = added->ips[0].address.ip.str();
    require(before.count(ip) == 0, "an address is given out once", ip);
    require(after.at(ip).belongs_to(kPod) && after.size() == before.size() + 1, "it is recorded");
  }

  void del() const {
    const auto before = records();
    require(worked(plugin_.del(request_)), "DEL succeeds");
    const auto after = records();
    for (const auto &[ip, record] : before)
      require(record.belongs_to(kPod) || after.count(ip) > 0, "DEL removes its own only", ip);
  }

  void check() const { (void)worked(plugin_.check(request_)); }
  void status() const { (void)worked(plugin_.status(request_)); }
  void gc() const {
    require(worked(plugin_.gc(request_)), "GC succeeds");
    for (const auto &entry : std::filesystem::directory_iterator(store_))
      require(!IpAddress::parse(entry.path().filename().string()), "GC leaves no record");
  }

private:
  static std::string take(std::string_view &files) {
    const auto end = files.find('\0');
    const std::string file(files.substr(0, end));
    files.remove_prefix(end == std::string_view::npos ? files.size() : end + 1);
    return file;
  }
  TempFolder temp_{"/dev/shm"}; // thousands of files a second
  std::string store_ = temp_.path() + "/net";
  cni::Request request_;
  IpamPlugin plugin_{"sluice-ipam"};
};

bool less(const Record &a, const Record &b) {
  return std::tie(a.ip, a.container_id, a.ifname) < std::tie(b.ip, b.container_id, b.ifname);
}

/// An index that reads says the same when it is written anew.
void read_index(std::string_view text) {
  (void)is_worn(text);
  (void)find_indexed(text, kPod);
  auto records = parse_index(text);
  if (!records)
    return;
  const auto anew = index_text(*records);
  require(anew.has_value(), "what reads can be written");
  auto again = parse_index(*anew);
  require(again.has_value(), "what was written reads", *anew);
  std::sort(records->begin(), records->end(), less);
  std::sort(again->begin(), again->end(), less);
  require(*again == *records, "and says the same", *anew);
}

} // namespace
} // namespace sluice::ipam

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
  const auto text = sluice::cni::text_of(data, size);
  sluice::ipam::read_index(text);
  static sluice::ipam::Node node; // its folder is made once
  node.write(text);
  node.status();
  node.add();
  node.add();
  node.check();
  node.del();
  node.gc();
  return 0;
}
