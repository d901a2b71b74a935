#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>

namespace eventhorn::metrics {
namespace {

prometheus::Registry& registry() {
  static prometheus::Registry instance;
  return instance;
}

std::map<std::string, std::string> to_map(Labels labels) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : labels) out.emplace(key, value);
  return out;
}

}  // namespace

void Counter::add(double n) {
  static_cast<prometheus::Counter*>(impl_)->Increment(n);
}

double Counter::value() const {
  return static_cast<prometheus::Counter*>(impl_)->Value();
}

void Gauge::set(double v) {
  static_cast<prometheus::Gauge*>(impl_)->Set(v);
}

void Gauge::add(double n) {
  static_cast<prometheus::Gauge*>(impl_)->Increment(n);
}

double Gauge::value() const {
  return static_cast<prometheus::Gauge*>(impl_)->Value();
}

void Histogram::observe(double v) {
  static_cast<prometheus::Histogram*>(impl_)->Observe(v);
}

Counter counter(const std::string& name, const std::string& help, Labels labels) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry());
  return Counter(&family.Add(to_map(labels)));
}

Gauge gauge(const std::string& name, const std::string& help, Labels labels) {
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry());
  return Gauge(&family.Add(to_map(labels)));
}

Histogram histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                    Labels labels) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry());
  return Histogram(&family.Add(to_map(labels), std::move(buckets)));
}

std::vector<double> latency_buckets() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
}

std::vector<double> size_buckets() {
  return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};
}

std::string render() {
  return prometheus::TextSerializer().Serialize(registry().Collect());
}

}  // namespace eventhorn::metrics
