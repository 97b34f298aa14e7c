// What checkpoints did, in Prometheus' text format, for the textfile collector of its node exporter.
#pragma once
#include <ctime>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "runtimes/error.h"

namespace ckpt {

/// A series as it is written, `name{label="value",...}`, and its value.
using Series = std::map<std::string, double>;

std::string render_metrics(const Series& series);
/// Reads back what render_metrics() wrote; nothing for an empty text. Throws Error(conflict), naming the
/// line, for anything else.
Series parse_metrics(std::string_view text);

/// `result` is the contract's document of a checkpoint. A container of which a failure was counted before its
/// runtime was known is one of that runtime's from then on.
void count_success(Series& series, const nlohmann::json& result, std::time_t now);
/// Without error.runtime it counts for the runtime that the container's other series have.
void count_failure(Series& series, const std::string& id, const Error& error);

/// The file, shared with every other ckpt. Throws Error(usage) when it cannot be there, Error(conflict) when
/// something is there that ckpt did not write.
class MetricsFile {
 public:
  explicit MetricsFile(const std::filesystem::path& file);
  void succeeded(const nlohmann::json& result) const;
  void failed(const std::string& id, const Error& error) const;

 private:
  template <class Change>
  void update(Change&& change) const;
  Series read() const;

  std::filesystem::path file_;
};

}  // namespace ckpt
