#include "ipam/config.hpp"

#include <algorithm>
#include <array>

namespace sluice::ipam {

using cni::Code;
using cni::NetworkConfig;
using cni::ObjectReader;
using cni::Outcome;

namespace {

constexpr cni::Version kFirstWithManyIps{0, 3, 0};

Outcome<> add_range_sets(const ObjectReader &object, const char *key, std::vector<RangeSet> &sets) {
  SLUICE_TAKE(const auto lists, object.object_lists(key));
  for (const auto &list : lists) {
    std::vector<Range> ranges;
    for (const auto &item : list) {
      SLUICE_TAKE(auto range, parse_range(item));
      ranges.push_back(std::move(range));
    }
    SLUICE_TAKE(auto set, make_range_set(std::move(ranges), object.path() + key));
    sets.push_back(std::move(set));
  }
  return {};
}

/// The single range of old configurations, whose keys are beside "ranges".
Outcome<> add_legacy_range(const ObjectReader &ipam, std::vector<RangeSet> &sets) {
  if (!ipam.has("subnet"))
    return {};
  SLUICE_TAKE(auto range, parse_range(ipam));
  sets.push_back(RangeSet({std::move(range)}));
  return {};
}

Outcome<> check_sets(const std::vector<RangeSet> &sets, const cni::Version &version) {
  if (sets.empty())
    return fail(Code::invalid_config,
                "ipam has no subnet and no ranges: there is nothing to give out");
  for (auto set = sets.begin(); set != sets.end(); ++set)
    for (auto other = sets.begin(); other != set; ++other) {
      if (set->overlaps(*other))
        return fail(Code::invalid_config,
                    "ipam has range sets that overlap: " + other->str() + " and " + set->str());
      if (version < kFirstWithManyIps && set->family() == other->family())
        return fail(Code::invalid_config, "ipam has two " + std::string(name_of(set->family())) +
                                              " range sets; cniVersion " + version.str() +
                                              " has room for one address of a family");
    }
  return {};
}

Outcome<> add_requested(std::string_view text, std::string_view where,
                        std::vector<IpAddress> &into) {
  const auto ip = IpAddress::parse(text.substr(0, text.find('/')));
  if (!ip)
    return fail(Code::invalid_config, std::string(where) + ": " + ip.error().what());
  if (std::find(into.begin(), into.end(), *ip) == into.end())
    into.push_back(*ip);
  return {};
}

Outcome<std::vector<IpAddress>> requested_ips(const ObjectReader &top, std::string_view args_text) {
  std::vector<IpAddress> requested;
  SLUICE_TAKE(const auto args, cni::parse_args(args_text));
  if (args.ip)
    SLUICE_PASS(add_requested(*args.ip, "CNI_ARGS IP", requested));
  std::vector<std::string> texts;
  SLUICE_TAKE(const auto args_object, top.object("args"));
  if (args_object) {
    SLUICE_TAKE(const auto cni_object, args_object->object("cni"));
    if (cni_object)
      SLUICE_PASS(cni_object->read("ips", texts));
  }
  for (const auto &text : texts)
    SLUICE_PASS(add_requested(text, "args.cni.ips", requested));
  texts.clear();
  SLUICE_TAKE(const auto runtime, top.object("runtimeConfig"));
  if (runtime)
    SLUICE_PASS(runtime->read("ips", texts));
  for (const auto &text : texts)
    SLUICE_PASS(add_requested(text, "runtimeConfig.ips", requested));
  return requested;
}

std::vector<std::string> words_of(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  std::vector<std::string> words;
  while (true) {
    const auto begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos)
      return words;
    const auto end = std::min(line.find_first_of(kBlank, begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

void take_line(std::vector<std::string> words, cni::Dns &dns) {
  if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';')
    return;
  const auto keyword = std::move(words.front());
  words.erase(words.begin());
  if (keyword == "nameserver")
    dns.nameservers.push_back(words[0]);
  else if (keyword == "domain")
    dns.domain = words[0];
  else if (keyword == "search")
    dns.search.insert(dns.search.end(), words.begin(), words.end());
  else if (keyword == "options")
    dns.options.insert(dns.options.end(), words.begin(), words.end());
}

} // namespace

Outcome<IpamConfig> parse_ipam_config(const NetworkConfig &config, std::string_view args) {
  IpamConfig parsed;
  const auto top = cni::top_of(config);
  SLUICE_TAKE(const auto ipam, top.object("ipam"));
  if (!ipam)
    return fail(Code::invalid_config, "ipam is missing");
  SLUICE_TAKE(const auto runtime, top.object("runtimeConfig"));
  if (runtime)
    SLUICE_PASS(add_range_sets(*runtime, "ipRanges", parsed.sets));
  SLUICE_PASS(add_legacy_range(*ipam, parsed.sets));
  SLUICE_PASS(add_range_sets(*ipam, "ranges", parsed.sets));
  SLUICE_PASS(check_sets(parsed.sets, config.version));
  SLUICE_TAKE(const auto routes, ipam->objects("routes"));
  for (const auto &item : routes) {
    SLUICE_TAKE(auto route, cni::parse_route(item));
    parsed.routes.push_back(std::move(route));
  }
  SLUICE_PASS(ipam->read("resolvConf", parsed.resolv_conf));
  SLUICE_TAKE(parsed.requested, requested_ips(top, args));
  return parsed;
}

std::string store_folder(const NetworkConfig &config) {
  std::string folder;
  const auto ipam = cni::top_of(config).object("ipam");
  if (ipam && *ipam)
    (void)(*ipam)->read("dataDir", folder);
  if (folder.empty())
    folder = kDefaultDataDir;
  return folder + "/" + config.name;
}

cni::Dns parse_resolv_conf(std::string_view text) {
  cni::Dns dns;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    take_line(words_of(text.substr(0, end)), dns);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return dns;
}

} // namespace sluice::ipam
