// docs/modes.md lists where the data planes differ. The cases know: what some of them run and
// others do not.

#include "proxy/cases/case.hpp"
#include "proxy/cases/statement.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace sluice::proxy {
namespace {

using cases::all_numbers;
using cases::all_scenarios;
using cases::Line;

struct Difference {
  std::string number, mode;
  friend auto operator<=>(const Difference &, const Difference &) = default;
};

/// As integration/packets/planes.cpp has them.
const std::map<std::string, std::vector<std::string>> &names_by_mode() {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"nftables", {"packets", "nftables"}},
      {"iptables-nft", {"packets", "iptables", "iptables-nft"}},
      {"iptables-legacy", {"packets", "iptables", "iptables-legacy"}},
      {"ipvs", {"packets", "ipvs"}}};
  return names;
}

/// Those that do not run a line that others run.
std::set<std::string> left_out(const Line &line) {
  std::set<std::string> out;
  for (const auto &[mode, names] : names_by_mode())
    if (!line.is_for(names))
      out.insert(mode);
  return out.size() == names_by_mode().size() ? std::set<std::string>() : out;
}

std::set<Difference> in_the_cases() {
  std::set<Difference> found;
  for (const auto &scenario : all_scenarios())
    for (const auto &line : scenario.lines)
      if (line.is_question() && !line.is_reference())
        for (const auto &mode : left_out(line))
          for (const auto &number : line.cases)
            found.insert({number, mode});
  return found;
}

/// "| 4.15 | `ipvs` | why |"
std::set<Difference> in_the_document() {
  std::ifstream in(std::string(SLUICE_SOURCE_DIR) + "/docs/modes.md");
  std::set<Difference> rows;
  bool below = false;
  for (std::string text; std::getline(in, text);) {
    below = below || text == "## Differences";
    const auto cells = cases::split(text, '|');
    if (!below || cells.size() != 4 || cells[1].find('.') == std::string::npos)
      continue;
    auto number = cells[1], mode = cells[2];
    for (auto *word : {&number, &mode})
      word->erase(
          std::remove_if(word->begin(), word->end(), [](char c) { return c == ' ' || c == '`'; }),
          word->end());
    rows.insert({number, mode});
  }
  return rows;
}

TEST(proxy_modes, every_difference_between_the_data_planes_is_in_docs_modes) {
  const auto rows = in_the_document();
  for (const auto &[number, mode] : in_the_cases())
    EXPECT_EQ(rows.count({number, mode}), 1U)
        << "case " << number << " does not run in " << mode << ": docs/modes.md must say why";
}

TEST(proxy_modes, docs_modes_speaks_of_cases_and_modes_that_exist) {
  const auto rows = in_the_document();
  EXPECT_GE(rows.size(), 4U) << "the table was not found";
  for (const auto &[number, mode] : rows) {
    EXPECT_EQ(std::count(all_numbers().begin(), all_numbers().end(), number), 1) << number;
    EXPECT_EQ(names_by_mode().count(mode), 1U) << mode;
  }
}

} // namespace
} // namespace sluice::proxy
