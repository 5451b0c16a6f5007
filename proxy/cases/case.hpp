#pragma once
// The cases of Service behaviour as data. A scenario is text, a line a step: statements change the
// world, lines that begin with case numbers ask. Whoever runs the cases (the pure model, or a data
// plane with real packets) walks the lines in order.
//
//   scenario externalTrafficPolicy Local, no endpoint here
//     set S externalTrafficPolicy=Local
//     endpoints S R
//     2.12 X->LB, X->n1:NP           DROP
//     2.12 P->LB                     {R} nm
//
// docs/design/packet-cases.md lists every statement and question.

#include "net/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::proxy::cases {

/// One line. The answer is canonical text: "{L,R} nm" (one of them, and it sees the client's
/// address), "{L,R} M" (it sees an address of the node), "{L M,R nm}" (it depends on which),
/// "REJECT" (ICMP port unreachable), "DROP" (silence), "none" (the proxy does not touch it).
struct Line {
  int number = 0; ///< in its file
  std::string text;
  std::vector<std::string> cases;     ///< "2.12"; empty: a statement
  std::string verb;                   ///< of a statement, or of a question that is no plain one
  std::vector<std::string> words;     ///< what follows the verb
  std::vector<std::string> questions; ///< "P->C:81/UDP"
  std::string answer;
  /// What follows the bar: who alone runs the line, or who does not, and why.
  bool excludes = false;
  std::vector<std::string> runners;
  std::string reason;

  bool is_question() const noexcept { return !cases.empty(); }
  /// Shown by another test, or not shown yet: for nobody to run.
  bool is_reference() const noexcept { return verb == "elsewhere" || verb == "later"; }
  /// Whether somebody who answers to these names ("model"; "packets" and "nftables") runs the line.
  bool is_for(const std::vector<std::string> &names) const;
};

struct Scenario {
  std::string title;
  const char *file = "";
  int number = 0; ///< line in its file
  /// Without these the scenario runs twice: as written, and with every IPv4 address turned into an
  /// IPv6 one.
  bool only_ipv4 = false, dual = false;
  std::vector<Line> lines;
  std::string str() const; ///< "file:line title"
};

/// A piece of table as it stands in a source file.
struct CaseText {
  const char *file;
  int line; ///< of its first line
  std::string_view text;
};

/// The error names the file and the line. Blank lines and those that begin with # are skipped.
Result<std::vector<Scenario>> parse(const CaseText &text);

/// What every scenario begins with: node n1, Service S, its endpoints L and R.
const std::vector<Line> &fixture();

/// Section G of the behaviour reference (kube-proxy 1.36), in order. Aborts on a bad table.
const std::vector<Scenario> &all_scenarios();
/// Every number of it.
const std::vector<std::string> &all_numbers();

} // namespace sluice::proxy::cases
