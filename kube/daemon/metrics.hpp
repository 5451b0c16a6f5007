#pragma once
// Counters, gauges and histograms for Prometheus (its text format 0.0.4).

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
} // namespace prometheus

namespace sluice::kube::daemon {

using MetricLabels = std::map<std::string, std::string>;

// Handles: cheap to copy, thread-safe, valid as long as their Metrics.

class Counter {
public:
  void add(double by = 1) const; ///< by >= 0
  double value() const;

private:
  friend class Metrics;
  explicit Counter(prometheus::Counter &counter) : counter_(&counter) {}
  prometheus::Counter *counter_;
};

class Gauge {
public:
  void set(double value) const;
  void add(double by) const;
  double value() const;

private:
  friend class Metrics;
  explicit Gauge(prometheus::Gauge &gauge) : gauge_(&gauge) {}
  prometheus::Gauge *gauge_;
};

class Histogram {
public:
  void observe(double value) const;

private:
  friend class Metrics;
  explicit Histogram(prometheus::Histogram &histogram) : histogram_(&histogram) {}
  prometheus::Histogram *histogram_;
};

/// All metrics of one daemon. Asking twice for the same name and labels gives the same metric. A
/// name that Prometheus does not allow, or one used for two types, is a programming error. Each
/// Metrics has `process_start_time_seconds` and the other process_* metrics from the beginning.
class Metrics {
public:
  Metrics();
  ~Metrics();

  Counter counter(const std::string &name, const std::string &help,
                  const MetricLabels &labels = {});
  Gauge gauge(const std::string &name, const std::string &help, const MetricLabels &labels = {});
  /// `bounds`: upper bounds of the buckets, ascending, without +Inf.
  Histogram histogram(const std::string &name, const std::string &help,
                      const std::vector<double> &bounds, const MetricLabels &labels = {});

  /// What GET /metrics answers, with `kContentType`.
  std::string text() const;
  static constexpr const char *kContentType = "text/plain; version=0.0.4; charset=utf-8";

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sluice::kube::daemon
