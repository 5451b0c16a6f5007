#include "cni/iptables_text.hpp"

#include <algorithm>

namespace sluice::cni {
namespace {

std::string word_at(std::string_view text, std::size_t at) {
  return std::string(text.substr(at, text.find(' ', at) - at));
}

} // namespace

bool NatTable::has_chain(std::string_view name) const {
  return std::find(chains.begin(), chains.end(), name) != chains.end();
}

bool NatTable::has_rule(std::string_view rule) const {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

NatTable parse_nat(std::string_view saved) {
  NatTable table;
  bool inside = false;
  while (!saved.empty()) {
    const auto line = saved.substr(0, saved.find('\n'));
    saved.remove_prefix(std::min(saved.size(), line.size() + 1));
    if (line.starts_with('*'))
      inside = line == "*nat";
    else if (inside && line.starts_with(':'))
      table.chains.push_back(word_at(line, 1));
    else if (inside && line.starts_with("-A "))
      table.rules.emplace_back(line);
  }
  return table;
}

std::string chain_of(std::string_view rule) { return word_at(rule, 3); }

std::string target_of(std::string_view rule) {
  for (const std::string_view flag : {" -j ", " -g "})
    if (const auto at = rule.rfind(flag); at != std::string_view::npos)
      return word_at(rule, at + flag.size());
  return {};
}

std::optional<std::string> container_in(std::string_view rule, std::string_view network) {
  const auto start = "name: \\\"" + std::string(network) + "\\\" id: \\\"";
  const auto at = rule.find(start);
  if (at == std::string_view::npos)
    return std::nullopt;
  const auto id = rule.substr(at + start.size());
  return std::string(id.substr(0, id.find("\\\"")));
}

std::string restore_text(const std::vector<std::string> &commands) {
  if (commands.empty())
    return {};
  std::string text = "*nat\n";
  for (const auto &command : commands)
    text += command + "\n";
  return text + "COMMIT\n";
}

std::vector<std::string> removal_of(const NatTable &table, const std::set<std::string> &chains) {
  std::vector<std::string> emptied, unlinked, removed;
  for (const auto &chain : chains)
    if (table.has_chain(chain)) {
      emptied.push_back(":" + chain + " - [0:0]");
      removed.push_back("-X " + chain);
    }
  for (const auto &rule : table.rules)
    if (chains.count(target_of(rule)) > 0 && chains.count(chain_of(rule)) == 0)
      unlinked.push_back("-D" + rule.substr(2));
  emptied.insert(emptied.end(), unlinked.begin(), unlinked.end());
  emptied.insert(emptied.end(), removed.begin(), removed.end());
  return emptied;
}

} // namespace sluice::cni
