// An Error as the contract's JSON object and back: for --json, and from the monitor to its parent.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "runtimes/error.h"

namespace ckpt {

/// {"code","message","hint","runtime","command":[argv],"log","cause"}
nlohmann::json error_to_json(const Error& error);
Error error_from_json(const nlohmann::json& in);

}  // namespace ckpt
