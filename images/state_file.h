// state.json of a checkpoint: what a restore has to bring back itself, beside what the runtime wrote.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "runtimes/state_facts.h"

namespace ckpt {

constexpr const char* kStateName = "state.json";

nlohmann::json to_json(const StateFacts& facts);
void write_state_facts(const std::filesystem::path& directory, const StateFacts& facts);
/// nullopt without the file. Throws Error(image_invalid) when it cannot be read as one.
std::optional<StateFacts> read_state_facts(const std::filesystem::path& directory);

}  // namespace ckpt
