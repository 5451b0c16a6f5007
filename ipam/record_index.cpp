#include "ipam/record_index.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::ipam {
namespace {

constexpr std::string_view kMagic = "sluice-index ";
constexpr std::string_view kBlanks = " \t\r\n\v\f";
/// Some hundred changes.
constexpr std::size_t kWearBytes = 16UL * 1024;

/// memmem(3) skips by the part's length; string_view::find tries every place where its first
/// character stands.
std::size_t find(std::string_view text, std::string_view part, std::size_t from) {
  const void *at = ::memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return at ? static_cast<std::size_t>(static_cast<const char *>(at) - text.data())
            : std::string_view::npos;
}

std::string_view take_until(std::string_view &text, char end) {
  const auto at = text.find(end);
  const auto part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

bool add(std::string_view line, std::vector<Record> &records) {
  const auto ip = IpAddress::parse(take_until(line, ' '));
  const auto id = take_until(line, ' ');
  if (!ip || !cni::is_valid_id(id) || line.empty() ||
      line.find_first_of(kBlanks) != std::string_view::npos)
    return false;
  records.push_back({*ip, std::string(id), std::string(line)});
  return true;
}

bool remove(std::string_view line, std::vector<Record> &records) {
  const auto ip = IpAddress::parse(line);
  if (!ip)
    return false;
  // What is removed was often added late.
  const auto found = std::find_if(records.rbegin(), records.rend(),
                                  [&](const Record &record) { return record.ip == *ip; });
  if (found == records.rend())
    return false;
  *found = std::move(records.back());
  records.pop_back();
  return true;
}

bool apply(std::string_view line, std::vector<Record> &records) {
  if (line.empty())
    return false;
  switch (line.front()) {
  case '+':
    return add(line.substr(1), records);
  case '-':
    return remove(line.substr(1), records);
  default:
    return line.front() == '=';
  }
}

} // namespace

bool is_stamped(std::string_view text, const timespec &stamp) {
  return text.starts_with(kMagic) && text.ends_with("\n" + stamp_line(stamp));
}

std::vector<IpAddress> find_indexed(std::string_view text, const cni::Attachment &attachment) {
  std::vector<IpAddress> found;
  const auto key = " " + attachment.container_id + " " + attachment.ifname + "\n";
  for (auto at = find(text, key, 0); at != std::string_view::npos; at = find(text, key, at + 1)) {
    const auto begin = text.rfind('\n', at) + 1; // npos + 1 is 0
    const auto name = text.substr(begin, at - begin);
    if (!name.starts_with('+') ||
        find(text, "\n-" + std::string(name.substr(1)) + "\n", at) != std::string_view::npos)
      continue;
    if (const auto ip = IpAddress::parse(name.substr(1)))
      found.push_back(*ip);
  }
  return found;
}

bool is_worn(std::string_view text) {
  const auto size = text.size();
  text.remove_prefix(std::min(kMagic.size(), size));
  std::size_t fresh_bytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), fresh_bytes);
  return size > kWearBytes && size - kWearBytes > fresh_bytes;
}

std::optional<std::vector<Record>> parse_index(std::string_view text) {
  if (!text.starts_with(kMagic))
    return std::nullopt;
  take_until(text, '\n');
  std::vector<Record> records;
  while (!text.empty())
    if (!apply(take_until(text, '\n'), records))
      return std::nullopt;
  return records;
}

std::optional<std::string> index_text(const std::vector<Record> &records) {
  std::string lines;
  for (const auto &record : records) {
    if (record.container_id.empty() || record.ifname.empty() ||
        record.ifname.find_first_of(kBlanks) != std::string::npos)
      return std::nullopt;
    lines += added_line(record);
  }
  return std::string(kMagic) + std::to_string(lines.size()) + "\n" + lines;
}

std::string added_line(const Record &record) {
  return "+" + record.ip.str() + " " + record.container_id + " " + record.ifname + "\n";
}

std::string removed_line(const IpAddress &ip) { return "-" + ip.str() + "\n"; }

std::string stamp_line(const timespec &stamp) {
  return "=" + std::to_string(stamp.tv_sec) + "." + std::to_string(stamp.tv_nsec) + "\n";
}

} // namespace sluice::ipam
