// What a checkpoint that nobody watches needs: a random start, other tries, nothing said of a container that
// does not run.
#pragma once
#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "commands/context.h"

namespace ckpt {

/// Evenly in [0, limit).
std::chrono::milliseconds random_below(std::chrono::milliseconds limit);
/// Throws interrupted_error() at once when a signal comes, or has come.
void sleep_or_throw(std::chrono::milliseconds time);

/// The container is not there to be checkpointed: gone, stopped, or not started.
class NotRunningError : public Error {
 public:
  explicit NotRunningError(Error error) : Error(std::move(error)) {}
};

/// Something lasts of the try that failed, such as a published image: it must not be made again.
class NoRetryError : public Error {
 public:
  explicit NoRetryError(Error error) : Error(std::move(error)) {}
};

/// The runtime or CRIU failed, or took too long, for no reason that is known to last.
bool may_pass(const Error& error);
/// 1, 2, 4 ... s after the first, second, third ... failure, at most a minute.
std::chrono::seconds delay_after(std::size_t failures);
/// The first of `attempt`'s results, after at most `retries` failures that may_pass(). Of several tries the
/// last failure of the runtime is thrown, and how many there were is told.
nlohmann::json with_retries(const Context& context, std::size_t retries,
                            const std::function<nlohmann::json()>& attempt);

}  // namespace ckpt
