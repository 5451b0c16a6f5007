#include "proxy/cases/case.hpp"

#include "proxy/cases/statement.hpp"

#include <sstream>

namespace sluice::proxy::cases {
namespace {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

/// Words between blanks; a word may hold blanks between double quotes, which are taken away.
std::vector<std::string> words_of(const std::string &text) {
  std::vector<std::string> words;
  bool quoted = false, inside = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      inside = false;
      continue;
    }
    if (!inside)
      words.emplace_back();
    inside = true;
    if (c != '"')
      words.back() += c;
  }
  return words;
}

bool is_number(const std::string &word) {
  return word.find('.') != std::string::npos &&
         word.find_first_not_of("0123456789.,") == std::string::npos;
}

bool begins_answer(const std::string &word) {
  return word[0] == '{' || word == "REJECT" || word == "DROP" || word == "none";
}

/// "only ipvs, nftables: reason".
Result<> read_limit(const std::string &text, Line &line) {
  const auto colon = text.find(':');
  if (colon == std::string::npos)
    return fail(Errc::invalid_input, "\"" + text + "\" gives no reason");
  line.reason = trimmed(std::string_view(text).substr(colon + 1));
  auto names = words_of(text.substr(0, colon));
  if (names.size() < 2 || (names[0] != "only" && names[0] != "not"))
    return fail(Errc::invalid_input,
                "\"" + text + "\" is neither \"only X: why\" nor \"not X: why\"");
  line.excludes = names[0] == "not";
  for (std::size_t i = 1; i < names.size(); ++i)
    for (const auto &name : split(names[i], ','))
      line.runners.push_back(name);
  return {};
}

void read_question(const std::vector<std::string> &words, Line &line) {
  std::size_t at = 1;
  for (;
       at < words.size() && words[at].find("->") == std::string::npos && !begins_answer(words[at]);
       ++at)
    if (line.verb.empty())
      line.verb = words[at];
    else
      line.words.push_back(words[at]);
  for (; at < words.size() && !begins_answer(words[at]); ++at)
    if (words[at].find("->") != std::string::npos)
      line.questions.push_back(split(words[at], ',').front());
    else
      line.words.push_back(words[at]);
  for (; at < words.size(); ++at)
    line.answer += (line.answer.empty() ? "" : " ") + words[at];
}

Result<Line> read_line(const std::string &text, int number) {
  Line line;
  line.number = number;
  line.text = text;
  auto body = text;
  if (const auto bar = text.find('|'); bar != std::string::npos) {
    body = trimmed(text.substr(0, bar));
    SLUICE_TRY(read_limit(trimmed(text.substr(bar + 1)), line), "what follows the bar");
  }
  const auto words = words_of(body);
  if (words.empty())
    return fail(Errc::invalid_input, "nothing stands before the bar");
  if (is_number(words[0])) {
    line.cases = split(words[0], ',');
    read_question(words, line);
    if (!line.questions.empty() && line.answer.empty())
      return fail(Errc::invalid_input, "a question without an answer");
    return line;
  }
  line.verb = words[0];
  line.words.assign(words.begin() + 1, words.end());
  return line;
}

} // namespace

bool Line::is_for(const std::vector<std::string> &names) const {
  if (runners.empty())
    return true;
  for (const auto &name : names)
    for (const auto &runner : runners)
      if (name == runner)
        return !excludes;
  return excludes;
}

std::string Scenario::str() const {
  return std::string(file) + ":" + std::to_string(number) + " " + title;
}

Result<std::vector<Scenario>> parse(const CaseText &text) {
  std::vector<Scenario> scenarios;
  std::istringstream in{std::string(text.text)};
  int number = text.line - 1;
  for (std::string raw; std::getline(in, raw);) {
    ++number;
    const auto words = trimmed(raw);
    if (words.empty() || words[0] == '#')
      continue;
    const auto where = std::string(text.file) + ":" + std::to_string(number);
    if (words.rfind("scenario ", 0) == 0) {
      scenarios.push_back({trimmed(words.substr(9)), text.file, number, false, false, {}});
      continue;
    }
    if (scenarios.empty())
      return fail(Errc::invalid_input, where + ": no scenario has begun");
    if (words.rfind("only-ipv4:", 0) == 0)
      scenarios.back().only_ipv4 = true;
    else if (words == "dual")
      scenarios.back().dual = true;
    else {
      SLUICE_ASSIGN(auto line, read_line(words, number), where);
      scenarios.back().lines.push_back(std::move(line));
    }
  }
  return scenarios;
}

} // namespace sluice::proxy::cases
