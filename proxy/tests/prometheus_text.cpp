#include "proxy/tests/prometheus_text.hpp"

#include <cmath>
#include <regex>
#include <sstream>

namespace sluice::proxy::test {
namespace {

std::string family_of(const std::string &name, const std::map<std::string, std::string> &types) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"})
    if (name.size() > suffix.size() &&
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
      const auto base = name.substr(0, name.size() - suffix.size());
      if (const auto found = types.find(base); found != types.end() && found->second == "histogram")
        return base;
    }
  return name;
}

double number(const std::string &text) {
  if (text == "+Inf")
    return INFINITY;
  return text == "NaN" ? NAN : std::stod(text);
}

/// The buckets of one series go up, and the last one is the count.
struct Buckets {
  double bound = -INFINITY, count = 0;
};

class Reader {
public:
  PrometheusText read(const std::string &text) {
    if (text.empty() || text.back() != '\n')
      complain("does not end with a newline");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      read_line(line);
    for (const auto &[series, buckets] : buckets_)
      if (buckets.bound != INFINITY)
        complain(series + " has no bucket +Inf");
    return std::move(out_);
  }

private:
  void complain(std::string what) { out_.complaints.push_back(std::move(what)); }

  void read_line(const std::string &line) {
    static const std::regex kHelp("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\\S.*)");
    static const std::regex kType(
        "# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)");
    static const std::regex kSample("([a-zA-Z_:][a-zA-Z0-9_:]*)"
                                    "(\\{([a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\.)*\",?)*\\})? "
                                    "(\\+Inf|NaN|-?[0-9.]+(e[-+]?[0-9]+)?)");
    std::smatch match;
    if (line.empty())
      return;
    if (std::regex_match(line, match, kHelp)) {
      if (!helped_.insert(match[1]).second)
        complain(line + ": a second HELP");
    } else if (std::regex_match(line, match, kType)) {
      if (!out_.types.emplace(match[1], match[2]).second)
        complain(line + ": a second TYPE");
    } else if (std::regex_match(line, match, kSample)) {
      sample(match[1], match[2], number(match[5]));
    } else {
      complain(line + ": cannot be read");
    }
  }

  void sample(const std::string &name, const std::string &labels, double value) {
    const auto family = family_of(name, out_.types);
    const auto type = out_.types.find(family);
    if (type == out_.types.end() || helped_.count(family) == 0)
      return complain(name + ": no TYPE or no HELP before it");
    if (!out_.samples.emplace(name + labels, value).second)
      complain(name + labels + " twice");
    if (type->second == "counter" && (name.size() < 6 || name.substr(name.size() - 6) != "_total"))
      complain(name + ": a counter whose name does not end with _total");
    if (type->second == "histogram")
      histogram_sample(name, family, labels, value);
  }

  void histogram_sample(const std::string &name, const std::string &family,
                        const std::string &labels, double value) {
    static const std::regex kBound("(.*?),?le=\"([^\"]*)\"(.*)");
    std::smatch match;
    if (name != family + "_bucket")
      return;
    if (!std::regex_match(labels, match, kBound))
      return complain(name + labels + ": no le");
    auto &buckets = buckets_[family + match[1].str() + match[3].str()];
    const auto bound = number(match[2]);
    if (bound <= buckets.bound || value < buckets.count)
      complain(name + labels + ": buckets do not go up");
    buckets = {bound, value};
  }

  PrometheusText out_;
  std::set<std::string> helped_;
  std::map<std::string, Buckets> buckets_;
};

} // namespace

PrometheusText read_prometheus(const std::string &text) { return Reader().read(text); }

} // namespace sluice::proxy::test
