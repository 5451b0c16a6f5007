// docs/design/cni-cases.md is complete, and every test that it names exists.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace sluice::integration {
namespace {

namespace fs = std::filesystem;

/// First and last number of each run; the numbers between the runs are not used.
constexpr std::pair<int, int> kNumbers[] = {
    {1, 7},     {9, 13},    {16, 18},   {21, 26},   {28, 31},   {40, 44},   {46, 46},
    {48, 48},   {60, 69},   {100, 113}, {115, 117}, {121, 125}, {127, 129}, {131, 131},
    {133, 137}, {139, 144}, {160, 165}, {167, 168}, {180, 196}, {203, 206}, {220, 224},
    {226, 232}, {234, 235}, {250, 250}, {260, 260}, {270, 270}, {280, 280}, {300, 304},
};

std::string text_of(const fs::path &file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// All tests' sources without blanks: formatting breaks names from their suites.
std::string test_sources() {
  std::string all;
  for (const auto *folder : {"cni", "ipam", "integration"})
    for (const auto &entry : fs::recursive_directory_iterator(fs::path(SLUICE_SOURCE_DIR) / folder))
      if (entry.path().string().ends_with("_test.cpp"))
        all += text_of(entry.path());
  std::erase_if(all, [](unsigned char c) { return std::isspace(c) != 0; });
  return all;
}

/// By number, the third column.
std::multimap<int, std::string> rows() {
  std::multimap<int, std::string> found;
  std::ifstream in(SLUICE_SOURCE_DIR "/docs/design/cni-cases.md");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("| T"))
      found.emplace(std::stoi(line.substr(3, 3)),
                    line.substr(line.find('|', line.find('|', 1) + 1)));
  return found;
}

std::vector<std::string> quoted_in(const std::string &text) {
  std::vector<std::string> words;
  for (auto begin = text.find('`'); begin != std::string::npos; begin = text.find('`', begin)) {
    const auto end = text.find('`', begin + 1);
    words.push_back(text.substr(begin + 1, end - begin - 1));
    begin = end + 1;
  }
  return words;
}

TEST(cni_cases, every_number_has_one_row) {
  auto all = rows();
  for (const auto &[first, last] : kNumbers)
    for (int number = first; number <= last; ++number) {
      EXPECT_EQ(all.count(number), 1U) << "T" << number;
      all.erase(number);
    }
  for (const auto &[number, row] : all)
    ADD_FAILURE() << "T" << number << " is no case" << row;
}

TEST(cni_cases, every_test_named_exists) {
  const auto sources = test_sources();
  for (const auto &[number, row] : rows()) {
    SCOPED_TRACE("T" + std::to_string(number));
    const auto names = quoted_in(row);
    EXPECT_FALSE(names.empty());
    for (const auto &name : names) {
      const auto dot = name.find('.');
      if (name.starts_with("./dev"))
        continue;
      EXPECT_NE(sources.find("(" + name.substr(0, dot) + "," + name.substr(dot + 1) + ")"),
                std::string::npos)
          << name;
    }
  }
}

} // namespace
} // namespace sluice::integration
