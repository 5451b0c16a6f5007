#include "proxy/iptables/dispatch_tree.hpp"

#include <arpa/inet.h>

namespace sluice::proxy::iptables {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
/// Of an IPv6 address no more are used: a chain's name has room for 28 characters.
constexpr std::size_t kAddressDigits = 15;
constexpr std::array kProtocols{Protocol::tcp, Protocol::udp, Protocol::sctp};

/// The four bits at `index`, counted from the low end of the address.
unsigned low_digit(const IpAddress &address, std::size_t index) {
  const auto bytes = address.bytes();
  const auto byte = bytes[bytes.size() - 1 - index / 2];
  return index % 2 == 0 ? byte & 15U : byte >> 4U;
}

/// An address with nothing but four bits set, in text.
std::string digit_at(Family family, std::size_t index, unsigned digit) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  bytes[size - 1 - index / 2] = static_cast<std::uint8_t>(index % 2 == 0 ? digit : digit << 4U);
  return IpAddress::from_bytes({bytes.data(), size}).str();
}

unsigned value_of(char digit) { return static_cast<unsigned>(kDigits.find(digit)); }

std::string port_match(const std::string &path) {
  const auto protocol = name_of(kProtocols.at(value_of(path.front())));
  std::string lower(protocol);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (path.size() == 1)
    return "-p " + lower;
  unsigned first = 0;
  for (const char digit : path.substr(1))
    first = first * 16 + value_of(digit);
  const auto shift = 4 * (5 - path.size());
  first <<= shift;
  const auto last = first + (1U << shift) - 1;
  return "-p " + lower + " -m " + lower + " --dport " + std::to_string(first) +
         (first == last ? "" : ":" + std::to_string(last));
}

} // namespace

DispatchTree::DispatchTree(Family family, By by, std::string root)
    : family_(family), by_(by), root_(std::move(root)),
      depth_(by == By::port           ? 5
             : family == Family::ipv4 ? 8
                                      : kAddressDigits) {
  marked_.insert("");
}

std::string DispatchTree::path_of(const Frontend &entry) const {
  std::string path;
  if (by_ == By::address) {
    for (std::size_t index = 0; index < depth_; ++index)
      path += kDigits[low_digit(*entry.address, index)];
    return path;
  }
  const auto at = std::find(kProtocols.begin(), kProtocols.end(), entry.protocol);
  path += kDigits[static_cast<std::size_t>(at - kProtocols.begin())];
  for (int shift = 12; shift >= 0; shift -= 4)
    path += kDigits[(entry.port.value >> static_cast<unsigned>(shift)) & 15U];
  return path;
}

DispatchTree::Range DispatchTree::below(const std::string &path) const {
  const auto first = entries_.lower_bound({path, Frontend{}});
  const auto last = path.empty() ? entries_.end() : entries_.lower_bound({path + '~', Frontend{}});
  return {first, last}; // '~' is behind every digit
}

/// At most kBucket + 2: who asks wants to know whether it is kBucket, one more, or beyond.
std::size_t DispatchTree::count_below(const std::string &path) const {
  std::size_t count = 0;
  for (auto [at, end] = below(path); at != end && count < kBucket + 2; ++at)
    ++count;
  return count;
}

bool DispatchTree::forks(const std::string &path) const {
  return path.size() < depth_ && count_below(path) > kBucket;
}

/// The chain that a fork leads to for a digit: one that forks itself lies where its entries part.
std::optional<std::string> DispatchTree::child(const std::string &path, char digit) const {
  auto next = path + digit;
  const auto [first, end] = below(next);
  if (first == end)
    return {};
  if (!forks(next))
    return next;
  const auto &low = first->first, &high = std::prev(end)->first;
  while (next.size() < depth_ && low[next.size()] == high[next.size()])
    next += low[next.size()];
  return next;
}

/// Every chain that a packet meets on its way, as the tree is now.
std::vector<std::string> DispatchTree::way_to(const std::string &path) const {
  std::vector<std::string> way{""};
  while (forks(way.back()) && path.compare(0, way.back().size(), way.back()) == 0) {
    auto next = child(way.back(), path[way.back().size()]);
    if (!next)
      break;
    way.push_back(std::move(*next));
  }
  return way;
}

void DispatchTree::mark_way(const std::string &path) {
  for (auto &chain : way_to(path))
    marked_.insert(std::move(chain));
}

/// Everything that may lie below, whether the chain forks now or did.
void DispatchTree::mark_below(const std::string &path) {
  for (auto [at, end] = below(path); at != end; ++at)
    for (auto length = path.size(); length <= at->first.size(); ++length)
      marked_.insert(at->first.substr(0, length));
}

void DispatchTree::insert(const Frontend &entry) {
  const auto path = path_of(entry);
  mark_way(path);
  if (!entries_.emplace(path, entry).second)
    return;
  mark_way(path);
  for (std::size_t length = 0; length <= path.size(); ++length)
    if (const auto at = path.substr(0, length); count_below(at) == kBucket + 1)
      mark_below(at);
}

void DispatchTree::erase(const Frontend &entry) {
  const auto path = path_of(entry);
  mark_way(path);
  if (entries_.erase({path, entry}) == 0)
    return;
  mark_way(path);
  for (std::size_t length = 0; length <= path.size(); ++length)
    if (const auto at = path.substr(0, length); count_below(at) == kBucket) {
      mark_below(at);
      marked_.insert(path.substr(0, length + 1));
    }
}

std::string DispatchTree::chain(const std::string &path) const {
  return path.empty() ? root_ : root_ + "-" + path;
}

std::string DispatchTree::fork_rule(const std::string &path, char digit,
                                    const std::string &child) const {
  const auto match = by_ == By::port ? port_match(path + digit)
                                     : "-d " + digit_at(family_, path.size(), value_of(digit)) +
                                           "/" + digit_at(family_, path.size(), 15);
  return match + " -g " + chain(child);
}

std::optional<std::vector<std::string>> DispatchTree::rules(const std::string &path,
                                                            const EntryRules &of_entry) const {
  if (way_to(path).back() != path)
    return {};
  std::vector<std::string> rules;
  if (forks(path)) {
    for (const char digit : kDigits)
      if (const auto next = child(path, digit))
        rules.push_back(fork_rule(path, digit, *next));
    return rules;
  }
  for (auto [first, last] = below(path); last != first;)
    of_entry((--last)->second, rules);
  return rules;
}

void DispatchTree::collect(const std::string &path, std::vector<std::string> &out) const {
  out.push_back(path);
  if (!forks(path))
    return;
  for (const char digit : kDigits)
    if (const auto next = child(path, digit))
      collect(*next, out);
}

std::vector<std::string> DispatchTree::paths() const {
  std::vector<std::string> out;
  collect("", out);
  return out;
}

} // namespace sluice::proxy::iptables
