// The verbs: each declares its options on a CLI11 subcommand and returns what to run. One file each.
#pragma once
#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "commands/context.h"

namespace ckpt {

Action declare_run(CLI::App& app);
Action declare_checkpoint(CLI::App& app);
Action declare_restore(CLI::App& app);
Action declare_images(CLI::App& app);
Action declare_list(CLI::App& app);
Action declare_gpu_thaw(CLI::App& app);
Action declare_state(CLI::App& app);
Action declare_wait(CLI::App& app);
Action declare_logs(CLI::App& app);
Action declare_exec(CLI::App& app);
Action declare_kill(CLI::App& app);
Action declare_pause(CLI::App& app);
Action declare_resume(CLI::App& app);
Action declare_delete(CLI::App& app);
Action declare_gpu_detect(CLI::App& app);
Action declare_explain(CLI::App& app);
Action declare_doctor(CLI::App& app);
Action declare_candidates(CLI::App& app);
Action declare_guard(CLI::App& app);

}  // namespace ckpt
