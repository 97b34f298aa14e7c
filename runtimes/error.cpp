// Error codes, their names and exit statuses: one table.
#include "runtimes/error.h"

#include <fmt/format.h>
#include <string.h>

#include <array>

namespace ckpt {
namespace {

struct Row {
  ErrorCode code;
  int status;
  std::string_view name;
};

constexpr std::array kRows{
    Row{ErrorCode::runtime_failed, 1, "runtime-failed"},
    Row{ErrorCode::usage, 2, "usage"},
    Row{ErrorCode::invalid_config, 2, "invalid-config"},
    Row{ErrorCode::unsupported, 3, "unsupported"},
    Row{ErrorCode::not_found, 4, "not-found"},
    Row{ErrorCode::conflict, 5, "conflict"},
    Row{ErrorCode::gpu_failed, 6, "gpu-failed"},
    Row{ErrorCode::image_invalid, 7, "image-invalid"},
    Row{ErrorCode::busy, 8, "busy"},
    Row{ErrorCode::timeout, 9, "timeout"},
    Row{ErrorCode::verify_failed, 10, "verify-failed"},
    Row{ErrorCode::host_incompatible, 11, "host-incompatible"},
    Row{ErrorCode::interrupted, 130, "interrupted"},
};

const Row& row(ErrorCode code) {
  for (const Row& candidate : kRows)
    if (candidate.code == code) return candidate;
  return kRows[0];
}

}  // namespace

int exit_status(ErrorCode code) {
  return row(code).status;
}

std::string_view code_name(ErrorCode code) {
  return row(code).name;
}

Error& Error::within(std::string_view context) {
  message = fmt::format("{}: {}", context, message);
  return *this;
}

int Error::status() const {
  return code == ErrorCode::interrupted ? 128 + signal : exit_status(code);
}

Error interrupted_error(int signal) {
  Error error(ErrorCode::interrupted, fmt::format("interrupted by SIG{}", sigabbrev_np(signal)));
  error.signal = signal;
  return error;
}

}  // namespace ckpt
