#include "proxy/cases/texts.hpp"

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace sluice::proxy::cases {
namespace {

constexpr const char *kNumbers =
    "1.01 1.02 1.03 1.04 1.05 1.06 1.07 1.08 1.09 1.10 1.11 1.12 1.13 1.14 1.15 1.16 "
    "1.20 1.21 "
    "2.01 2.02 2.03 2.04 2.05 2.06 2.07 2.08 2.09 2.10 2.11 2.12 2.13 2.17 2.18 2.19 "
    "3.01 3.02 3.03 3.04 3.05 3.06 3.07 3.08 3.09 3.10 3.11 3.12 "
    "4.01 4.02 4.04 4.05 4.07 4.08 4.09 4.11 4.13 4.14 4.15 4.16 4.17 "
    "5.01 5.02 5.03 5.04 5.05 5.06 5.07 5.08 5.15 5.16 5.17 5.18 5.19 "
    "6.01 6.02 6.03 6.04 6.05 6.06 6.07 6.08 6.09 6.10 6.11 6.12 6.13 6.17 6.20 "
    "7.01 7.02 7.03 7.04 7.05 7.06 7.07 7.09 7.10 7.11 7.12 7.13 7.17 7.18 7.19 7.22 "
    "7.24 7.25 "
    "8.01 8.02 8.03 8.04 8.05 8.06 8.07 8.11 8.12 8.14 8.15 8.16 8.17 8.18 8.19 8.20 "
    "8.21 8.22 8.24 8.25 "
    "9.01 9.02 9.03 9.04 9.05 9.06 9.07 9.08 9.09 9.10 9.11 9.12 9.13 9.15 9.16 9.18 "
    "9.19 9.20 9.21 "
    "10.01 10.02 10.03 10.04 10.05 10.06 10.08 10.09 10.10 10.11 10.14 10.15 10.18 10.19 "
    "10.20 10.21 10.23 10.25 10.26 10.27 10.28 10.30 10.31 10.32 10.33 10.34 10.35 "
    "11.01 11.02 11.03 11.04 11.05 11.07 11.12 11.13 11.14 "
    "12.01 12.02 12.04 12.06 12.08 "
    "13.01 13.02 13.03 13.04 13.05 13.06 13.07 13.08 13.09 13.16 13.17 13.18 13.19 13.20 "
    "14.01 14.02 14.03 14.04 14.09 14.10 14.11 14.12 14.13 14.14 14.16 "
    "15.01 15.02 15.05 15.07 15.09 15.10 15.11 15.12 15.13 15.14 15.15 15.16 15.18 "
    "16.01 16.03 16.04 16.05 16.06 16.07 16.09 16.10 16.11 16.13 16.15 16.17 16.18 16.21 "
    "16.22 "
    "17.01 17.03 17.04 17.05 17.06 17.08 "
    "18.01 18.02 18.04 18.05 ";

constexpr CaseText kFixture{__FILE__, __LINE__, R"(
scenario every world begins so
  node name=n1 zone=zone-a addresses=192.168.0.2,192.168.1.2
  node detector=ClusterCIDR:10.0.0.0/8 nodePortAddresses=0.0.0.0/0 serviceCIDRs=172.30.0.0/16
  set S type=LoadBalancer clusterIPs=C ports=p80/TCP/80/3001 externalIPs=E lb=LB
  endpoints S L R
)"};

std::vector<Scenario> read(const CaseText &text) {
  auto scenarios = parse(text);
  if (!scenarios) {
    std::fprintf(stderr, "%s\n", scenarios.error().what().c_str());
    std::abort();
  }
  return std::move(*scenarios);
}

} // namespace

const std::vector<Line> &fixture() {
  static const auto lines = read(kFixture).front().lines;
  return lines;
}

const std::vector<Scenario> &all_scenarios() {
  static const auto all = [] {
    std::vector<Scenario> scenarios;
    for (const auto &text :
         {base_and_policies(), endpoints(), addresses(), objects(), connections()})
      for (auto &scenario : read(text))
        scenarios.push_back(std::move(scenario));
    return scenarios;
  }();
  return all;
}

const std::vector<std::string> &all_numbers() {
  static const auto numbers = [] {
    std::vector<std::string> out;
    std::istringstream in(kNumbers);
    for (std::string number; in >> number;)
      out.push_back(number);
    return out;
  }();
  return numbers;
}

} // namespace sluice::proxy::cases
