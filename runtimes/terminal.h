// Terminals: receiving one over a console socket (runc's protocol: one SCM_RIGHTS message), raw mode, window
// size.
#pragma once
#include <optional>
#include <string>

#include "runtimes/fs.h"

struct termios;

namespace ckpt {

/// Listens on `path` (at most 107 bytes, sun_path). Throws Error(runtime_failed).
Fd listen_on(const std::string& path);
/// Accepts and receives the terminal's master side; nullopt when nobody connected within `milliseconds`.
std::optional<Fd> receive_terminal(const Fd& listener, int milliseconds);
/// Gives `to` the window size of `from`; nothing happens when one is no terminal.
void copy_window_size(int from, int to);

/// Standard input in raw mode while it lives, when it is a terminal.
class RawMode {
 public:
  RawMode();
  ~RawMode();
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  std::unique_ptr<termios> saved_;
};

}  // namespace ckpt
