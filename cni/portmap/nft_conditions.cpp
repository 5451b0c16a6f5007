#include "cni/portmap/nft_conditions.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <net/if.h>

namespace sluice::cni {
namespace {

using Match = NftCondition::Match;

std::vector<std::string> split(const std::vector<std::string> &words) {
  std::vector<std::string> all;
  for (const auto &text : words)
    for (std::size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string::npos;) {
      const auto end = std::min(text.find(' ', at), text.size());
      all.push_back(text.substr(at, end - at));
      at = end;
    }
  return all;
}

class Words {
public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  bool empty() const noexcept { return at_ == words_.size(); }
  std::string next() { return empty() ? std::string() : words_[at_++]; }
  bool skip(std::string_view word) {
    const bool is = !empty() && words_[at_] == word;
    at_ += is ? 1 : 0;
    return is;
  }

private:
  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

bool read_network(const std::string &text, Family family, Cidr &into) {
  if (const auto ip = IpAddress::parse(text))
    into = Cidr::host(*ip);
  else if (const auto network = Cidr::parse(text))
    into = *network;
  else
    return false;
  return into.family() == family;
}

bool read_name(std::string text, std::string &into) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  into = text;
  return !text.empty() && text.size() < IFNAMSIZ;
}

bool read_number(const std::string &text, std::uint32_t &into) {
  const bool hexadecimal = text.starts_with("0x");
  const auto *begin = text.data() + (hexadecimal ? 2 : 0), *end = text.data() + text.size();
  const auto read = std::from_chars(begin, end, into, hexadecimal ? 16 : 10);
  return read.ec == std::errc{} && read.ptr == end;
}

/// False if the next words are no condition.
bool read_condition(Words &words, Family family, NftCondition &into) {
  const auto first = words.next();
  const bool address = first == (family == Family::ipv4 ? "ip" : "ip6");
  const auto second = address || first == "meta" ? words.next() : std::string();
  if (address && (second == "saddr" || second == "daddr"))
    into.match = second == "saddr" ? Match::source : Match::destination;
  else if (first == "iifname" || (first == "meta" && second == "iifname"))
    into.match = Match::interface;
  else if (first == "meta" && second == "mark")
    into.match = Match::mark;
  else
    return false;
  into.equal = !words.skip("!=");
  if (into.equal)
    words.skip("==");
  const auto value = words.next();
  switch (into.match) {
  case Match::interface:
    return read_name(value, into.name);
  case Match::mark:
    return read_number(value, into.number);
  default:
    return read_network(value, family, into.network);
  }
}

} // namespace

Outcome<std::vector<NftCondition>> parse_nft_conditions(const std::vector<std::string> &list,
                                                        Family family) {
  const auto all = split(list);
  Words words(all);
  std::vector<NftCondition> conditions;
  while (!words.empty()) {
    NftCondition condition{};
    condition.equal = true;
    if (!read_condition(words, family, condition)) {
      std::string text;
      for (const auto &word : all)
        text += (text.empty() ? "" : " ") + word;
      return fail(
          Code::unsupported_field,
          std::string(family == Family::ipv4 ? "conditionsV4" : "conditionsV6") + " is \"" + text +
              "\", which is not supported",
          "understood are: ip saddr, ip daddr (ip6 for IPv6), iifname, meta mark, each with "
          "or without != and one value");
    }
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

void put_conditions(nft::Expressions &rule, const std::vector<NftCondition> &conditions) {
  for (const auto &condition : conditions) {
    std::array<std::uint8_t, IFNAMSIZ> name{};
    std::copy(condition.name.begin(), condition.name.end(), name.begin());
    switch (condition.match) {
    case Match::source:
      rule.source(condition.network, condition.equal);
      break;
    case Match::destination:
      rule.destination(condition.network, condition.equal);
      break;
    case Match::interface:
      rule.meta_is(NFT_META_IIFNAME, name, condition.equal);
      break;
    case Match::mark:
      rule.meta_is(
          NFT_META_MARK,
          {reinterpret_cast<const std::uint8_t *>(&condition.number), sizeof condition.number},
          condition.equal);
      break;
    }
  }
}

} // namespace sluice::cni
