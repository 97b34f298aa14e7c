// SIGINT and SIGTERM as a descriptor and a question, so that running children are dealt with and undos run.
#pragma once
#include <optional>

namespace ckpt {

/// Installs the handlers; called once by main and by the monitor. SIGPIPE is ignored too.
void catch_interrupts();
/// Readable from the first SIGINT or SIGTERM on (level-triggered, never drained); -1 before
/// catch_interrupts().
int interrupt_fd();
/// The first signal received; nullopt when none, or while interrupts are held off.
std::optional<int> interrupted();
/// How many were received: a second one means that the user no longer wants to wait.
int interrupt_count();
/// Throws interrupted_error() when a signal was received.
void throw_if_interrupted();

/// While one lives, interrupts are not acted on: for undos, which must run to their end.
class HoldInterrupts {
 public:
  HoldInterrupts();
  ~HoldInterrupts();
  HoldInterrupts(const HoldInterrupts&) = delete;
  HoldInterrupts& operator=(const HoldInterrupts&) = delete;
};

}  // namespace ckpt
