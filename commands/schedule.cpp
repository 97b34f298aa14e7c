// Waiting and trying again.
#include "commands/schedule.h"

#include <poll.h>

#include <random>

#include "runtimes/diagnosis.h"
#include "runtimes/interrupt.h"
#include "runtimes/json.h"

namespace ckpt {

using std::chrono::milliseconds;

milliseconds random_below(milliseconds limit) {
  if (limit.count() <= 0) return milliseconds(0);
  std::random_device device;
  return milliseconds(std::uniform_int_distribution<milliseconds::rep>(0, limit.count() - 1)(device));
}

void sleep_or_throw(milliseconds time) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + time;
  for (;;) {
    throw_if_interrupted();
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) return;
    constexpr milliseconds kHour = std::chrono::hours(1);  // poll(2) takes an int
    pollfd signal = {.fd = interrupt_fd(), .events = POLLIN, .revents = 0};
    ::poll(&signal, 1, static_cast<int>(std::min(left, kHour).count()));
  }
}

bool may_pass(const Error& error) {
  if (dynamic_cast<const NoRetryError*>(&error) != nullptr) return false;
  if (error.code != ErrorCode::runtime_failed && error.code != ErrorCode::timeout) return false;
  const CatalogueEntry* known = find_entry(error.cause);
  return known == nullptr || known->transient;
}

std::chrono::seconds delay_after(std::size_t failures) {
  return std::chrono::seconds(
      std::min<std::size_t>(60, std::size_t{1} << std::min<std::size_t>(failures - 1, 6)));
}

nlohmann::json with_retries(const Context& context, std::size_t retries,
                            const std::function<nlohmann::json()>& attempt) {
  std::optional<Error> last;
  for (std::size_t failures = 1;; ++failures) {
    try {
      return attempt();
    } catch (const Error& error) {
      const bool again = may_pass(error) && failures <= retries;
      if (error.code == ErrorCode::interrupted || (!last && !again)) throw;
      // A try that could not even begin says less than the failure before it.
      const bool began = error.code == ErrorCode::runtime_failed || error.code == ErrorCode::timeout;
      if (began || !last) last = error;
      if (!again) {
        last->message += fmt::format(" (after {} attempts)", failures);
        throw *last;
      }
    }
    const auto delay = delay_after(failures);
    context.out.detail(
        fmt::format("attempt {} failed: {}; again in {} s", failures, last->message, delay.count()));
    sleep_or_throw(delay);
  }
}

}  // namespace ckpt
