// The whole program, callable from tests.
#pragma once

namespace ckpt {
/// Parses, runs, prints errors; the exit status.
int main_with(int argc, char** argv);
}  // namespace ckpt
