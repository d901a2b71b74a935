// Counters, gauges and histograms, written out as Prometheus text for /metrics. Handles are cheap,
// live as long as the process, and are safe to use from any thread. No label ever carries a domain,
// URL or id.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::metrics {

using Labels = std::initializer_list<std::pair<const char*, std::string>>;

class Counter {
 public:
  explicit Counter(void* impl) : impl_(impl) {}

  void add(double n = 1);
  double value() const;

 private:
  void* impl_;
};

class Gauge {
 public:
  explicit Gauge(void* impl) : impl_(impl) {}

  void set(double v);
  void add(double n);
  double value() const;

 private:
  void* impl_;
};

class Histogram {
 public:
  explicit Histogram(void* impl) : impl_(impl) {}

  void observe(double v);

 private:
  void* impl_;
};

/// The same name and labels give the same metric. `help` is kept from the first call.
Counter counter(const std::string& name, const std::string& help, Labels labels = {});
Gauge gauge(const std::string& name, const std::string& help, Labels labels = {});
Histogram histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                    Labels labels = {});

/// Seconds from 100 us to 30 s, for latencies.
std::vector<double> latency_buckets();
/// Powers of two from 1 to 65536, for sizes and counts.
std::vector<double> size_buckets();

/// Everything, in the Prometheus text format 0.0.4.
std::string render();

}  // namespace eventhorn::metrics
