// Name, summary and function of every command.
#include "cli/commands.h"

#include "cli/completion.h"

namespace ckpt {

const std::vector<VerbRow>& verbs() {
  static const std::vector<VerbRow> rows = {
      {"run", "create and start a container from a bundle", true, declare_run},
      {"checkpoint", "save running containers", true, declare_checkpoint},
      {"restore", "bring a container back from a checkpoint", true, declare_restore},
      {"list", "containers of every runtime and root", false, declare_list},
      {"images", "list, verify, pin and remove checkpoints of the store", false, declare_images},
      {"state", "one container, as JSON", false, declare_state},
      {"wait", "wait for a container to end; exit with its status", false, declare_wait},
      {"logs", "what a container wrote", false, declare_logs},
      {"exec", "run a command in a container", true, declare_exec},
      {"kill", "send a signal to a container", true, declare_kill},
      {"delete", "remove a container", true, declare_delete},
      {"gpu-detect", "the host's GPUs, or whether a container uses them", false, declare_gpu_detect},
      {"gpu-thaw", "bring frozen CUDA processes of a container back", true, declare_gpu_thaw},
      {"explain", "why a checkpoint or restore failed, from its log", false, declare_explain},
      {"doctor", "what on this host would stop a checkpoint, and what helps", false, declare_doctor},
      {"completion", "the script that completes ckpt's command lines in a shell", false, declare_completion},
      {"__complete", "", false, declare_candidates},
  };
  return rows;
}

}  // namespace ckpt
