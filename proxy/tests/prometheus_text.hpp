#pragma once
// Reads the Prometheus text format 0.0.4 as strictly as promtool does, and complains.

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sluice::proxy::test {

struct PrometheusText {
  std::map<std::string, std::string> types; ///< family -> counter, gauge, histogram
  std::map<std::string, double> samples;    ///< name{labels} -> value
  std::vector<std::string> complaints;
};

PrometheusText read_prometheus(const std::string &text);

} // namespace sluice::proxy::test
