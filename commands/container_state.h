// What of a container ckpt itself brings back, since neither CRIU nor the runtime does: links, their
// addresses, names of sockets, processors of threads. Saved beside the image, put right after the restore,
// and proved.
#pragma once
#include <sys/types.h>

#include "commands/checkpoint_plan.h"
#include "commands/restore_plan.h"
#include "runtimes/state_facts.h"

namespace ckpt {

/// Before a container of runsc is created: it takes the addresses of a network namespace that is there away
/// from its links, and nobody could tell them later. Kept in `home`, the record's directory.
void note_addresses(const Driver& driver, const nlohmann::json& spec, const std::filesystem::path& home);

/// Of a container that runs. Reads only.
StateFindings state_findings(const CheckpointPlan& plan);
/// What a checkpoint heeds of them. Pure.
std::vector<Check> state_obstacles(const std::string& id, const RuntimeTable& runtime,
                                   const StateFindings& found);
/// The check that fails for a container of a pod in one sandbox.
inline constexpr const char* kSandboxCheck = "sandbox";

/// Before the dump: state.json in the image's directory.
void save_state_facts(const Context& context, const CheckpointPlan& plan,
                      const std::filesystem::path& directory);

/// What crun's restore would do to the host's processes. By the text of /proc/self/cgroup.
CheckedItem check_hierarchies(const std::string& proc_cgroup);
/// Before the restore: the addresses that runsc has taken away.
void give_addresses_back(const RestorePlan& plan);
/// When it runs again. Throws Error(verify_failed) for what could not be brought back; with --no-verify that
/// is only told.
void bring_state_back(const Context& context, const RestorePlan& plan, bool prove);

}  // namespace ckpt
