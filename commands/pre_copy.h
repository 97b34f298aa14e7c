// checkpoint --pre-copy: the memory is dumped while the container runs, then again what changed since, until
// little is left for the dump that freezes it.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "commands/checkpoint_plan.h"
#include "images/store.h"

namespace ckpt {

/// "auto", or a number of rounds from 1 to 99; nullopt for anything else.
std::optional<PreCopyOptions> parse_pre_copy(const std::string& text);

/// Throws Error(unsupported) with the reason where the kernel does not track changed memory, the runtime has
/// no pre-dumps, or the container is one that they are not for.
void require_pre_copy(const Context& context, const CheckpointPlan& plan);

/// Makes them below the image's directory. Throws what fails; the container goes on in any case.
std::vector<PreDump> copy_before(const Context& context, const CheckpointPlan& plan, const StagedImage& image,
                                 const std::filesystem::path& scratch);

/// Whether another round is worth it: `pages` are those that the rounds so far have written. Pure.
bool another_round(const PreCopyOptions& wanted, const std::vector<std::uint64_t>& pages);

/// pre-1, pre-2, ...: where round `number`, from 1 on, goes.
std::string pre_dump_directory(std::size_t number);
/// How the final dump names a pre-dump as its parent: CRIU wants it relative to the images.
std::string parent_path(const StagedImage& image, const std::string& directory);
/// What is asked of round `number`.
CheckpointOpts pre_dump_opts(const CheckpointPlan& plan, const StagedImage& image, std::size_t number);

}  // namespace ckpt
