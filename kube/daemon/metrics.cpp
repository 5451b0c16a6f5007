#include "kube/daemon/metrics.hpp"

#include "kube/daemon/process_metrics.hpp"

#include <chrono>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace sluice::kube::daemon {

struct Metrics::Impl {
  prometheus::Registry registry;
};

void Counter::add(double by) const { counter_->Increment(by); }
double Counter::value() const { return counter_->Value(); }
void Gauge::set(double value) const { gauge_->Set(value); }
void Gauge::add(double by) const { gauge_->Increment(by); }
double Gauge::value() const { return gauge_->Value(); }
void Histogram::observe(double value) const { histogram_->Observe(value); }

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  gauge("process_start_time_seconds", "Start time of the process since the epoch in seconds.")
      .set(now.count());
}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string &name, const std::string &help,
                         const MetricLabels &labels) {
  return Counter(
      prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Gauge Metrics::gauge(const std::string &name, const std::string &help, const MetricLabels &labels) {
  return Gauge(
      prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Histogram Metrics::histogram(const std::string &name, const std::string &help,
                             const std::vector<double> &bounds, const MetricLabels &labels) {
  return Histogram(prometheus::BuildHistogram()
                       .Name(name)
                       .Help(help)
                       .Register(impl_->registry)
                       .Add(labels, bounds));
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect()) + process_metrics_text();
}

} // namespace sluice::kube::daemon
