// Work for several threads at once, whose first error is everybody's.
#pragma once
#include <cstddef>
#include <functional>

namespace ckpt {

/// As many as there are processors for this process, at most `most`.
std::size_t thread_count(std::size_t most);

/// Runs `work` on `threads` threads, this one among them; fewer when the system has no more. When one throws,
/// `stop` is called at once, so that the others end; when all have ended, the first error is thrown.
void on_threads(std::size_t threads, const std::function<void()>& work, const std::function<void()>& stop);

}  // namespace ckpt
