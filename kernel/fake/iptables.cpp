#include "kernel/fake/iptables.hpp"

namespace sluice::kernel::fake {
namespace {

const std::set<std::string> kBuiltIn{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

std::string take_word(std::string_view &text) {
  const auto end = std::min(text.find(' '), text.size());
  std::string word(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

Error refused(std::string_view line, const std::string &why) {
  return {Errc::invalid_input, "iptables-restore: line \"" + std::string(line) + "\": " + why};
}

/// Where a rule leads, if to a chain that somebody made.
std::string target_of(const std::string &rule) {
  for (const char *word : {"-j ", "-g "})
    if (const auto at = rule.rfind(word); at != std::string::npos) {
      std::string_view rest(rule);
      rest.remove_prefix(at + 3);
      return take_word(rest);
    }
  return "";
}

bool is_chain_name(const std::string &target) { return target.find('-') != std::string::npos; }

} // namespace

IptablesTool::IptablesTool() {
  tables_["nat"] = {{"PREROUTING", {}}, {"INPUT", {}}, {"OUTPUT", {}}, {"POSTROUTING", {}}};
  tables_["filter"] = {{"INPUT", {}}, {"FORWARD", {}}, {"OUTPUT", {}}};
}

Result<std::string> IptablesTool::save(std::string_view table) {
  std::string text;
  for (const auto &[name, chains] : tables_) {
    if (!table.empty() && name != table)
      continue;
    text += "*" + name + "\n";
    for (const auto &[chain, rules] : chains)
      text += ":" + chain + (kBuiltIn.count(chain) != 0 ? " ACCEPT" : " -") + " [0:0]\n";
    for (const auto &[chain, rules] : chains)
      for (const auto &rule : rules)
        text += "-A " + chain + " " + rule + "\n";
    text += "COMMIT\n";
  }
  return text;
}

Result<> IptablesTool::line(Table &table, std::string_view text) {
  const auto whole = text;
  auto verb = take_word(text);
  if (verb.front() == ':') {
    const auto name = verb.substr(1);
    if (name.size() > 28)
      return fail(refused(whole, "a chain's name has at most 28 characters"));
    table[name].clear();
    return {};
  }
  const auto found = table.find(take_word(text));
  if (found == table.end())
    return fail(refused(whole, "no such chain"));
  auto &rules = found->second;
  if (verb == "-A") {
    rules.emplace_back(text);
  } else if (verb == "-I") {
    take_word(text); // always the first place
    rules.emplace(rules.begin(), text);
  } else if (verb == "-D") {
    const auto at = std::find(rules.begin(), rules.end(), text);
    if (at == rules.end())
      return fail(refused(whole, "no such rule"));
    rules.erase(at);
  } else if (verb == "-X") {
    table.erase(found);
  } else {
    return fail(refused(whole, "unknown"));
  }
  return {};
}

Result<> IptablesTool::check(const Table &table) {
  for (const auto &[name, rules] : table)
    for (const auto &rule : rules)
      if (const auto target = target_of(rule); is_chain_name(target) && table.count(target) == 0)
        return fail(refused(rule, "chain " + name + " leads to a chain that is not there"));
  return {};
}

Result<> IptablesTool::restore(std::string_view text) {
  ++restores_;
  last_text_ = text;
  if (next_error_)
    return fail(*std::exchange(next_error_, std::nullopt));
  std::string name;
  Table table;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto next = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (next.empty() || next.front() == '#')
      continue;
    if (next.front() == '*') {
      name = next.substr(1);
      table = tables_.at(name);
    } else if (next == "COMMIT") {
      SLUICE_TRY(check(table), name);
      tables_[name] = table;
    } else {
      SLUICE_TRY(line(table, next), name);
    }
  }
  return {};
}

} // namespace sluice::kernel::fake
