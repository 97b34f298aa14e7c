// Global options: declared on the application, then from the environment, then from the configuration files.
#pragma once
#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "commands/context.h"

namespace ckpt {

/// Each option with its environment variable CKPT_<NAME>.
void declare_globals(CLI::App& app, Globals& globals);
/// Fills what neither the command line nor the environment set, from --config, else /etc/ckpt/ckpt.toml.
/// Throws Error(invalid_config) for a file that is no TOML, an unknown key or a wrong value.
void apply_config(CLI::App& app, const Globals& globals);
/// With NVIDIA's wrapper as --runtime or --runtime-path: the runtime behind it instead. Throws
/// Error(unsupported) when there is none.
void see_through_wrapper(Globals& globals, Prober& prober);

}  // namespace ckpt
