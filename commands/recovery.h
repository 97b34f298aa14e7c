// What a ckpt that was killed in the middle left behind, put right by the next one that takes the container's
// lock.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "commands/context.h"

namespace ckpt {

/// The environment variable by which the programs of a dump are known: the scratch directory of their ckpt.
inline constexpr const char* kDumpMark = "CKPT_DUMP";

/// The note that a checkpoint keeps in the lock file while it works.
struct CheckpointNote {
  std::string staging;           ///< directory of an unpublished image; empty: none
  std::string scratch;           ///< directory of small files of that ckpt's
  std::string unpacked = {};     ///< directory of an image unpacked for a restore
  std::string work = {};         ///< directory of CRIU's logs
  bool paused = false;           ///< it ran, and is to run again should it be found paused
  bool cuda = false;             ///< ckpt froze its CUDA processes
  int group = 0;                 ///< process group of the runtime's dump, with its CRIU; 0: none yet
  bool stops = false;            ///< the dump itself stops the container: its image may be all that is left
  nlohmann::json manifest = {};  ///< then: of that image, as far as it is known before the dump
};
std::string note_text(const std::string& verb, const CheckpointNote& note);

/// Ends the dump that a dead holder of the lock had begun. Lets end what else goes on without it: a runtime's
/// restore, and the monitor of a detached container. Throws Error(busy) when that takes longer than
/// --timeout, else `limit`.
void wait_for_orphans(const Context& context, const Driver& driver, const std::string& id,
                      ContainerLock& lock, std::chrono::milliseconds limit = std::chrono::minutes(10));

/// After wait_for_orphans(), resumes what a dead holder of the lock left paused, publishes the image that is
/// all that is left of the container, removes another that is unpublished and what it had unpacked; says so
/// with warn(). What fails is left to the next holder.
void recover(const Context& context, const Driver& driver, const std::string& id, ContainerLock& lock,
             std::chrono::milliseconds limit = std::chrono::minutes(10));

/// Copies the log that a failure names to STATE/failed/NAME, where no later command removes it (its first 8
/// MiB).
void keep_log(const Context& context, Error& error, const std::string& name);

/// What a CRIU that was killed left in the network namespace of the container with that first process is
/// taken away, and told. Throws Error(runtime_failed).
void unlock_network(const Context& context, pid_t init, const std::string& id);

}  // namespace ckpt
