// The edits of a CDI specification, made to an OCI spec.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ckpt {

/// Makes checked containerEdits (of parse_cdi()); `name` is whose they are, for messages. What is not made is
/// said in `notes`. Throws Error(not_found) for a device node or bind source that the host lacks,
/// Error(invalid_config) when the spec has something else where an edit belongs.
void apply_edits(nlohmann::json& spec, const nlohmann::json& edits, const std::string& name,
                 std::vector<std::string>& notes);

}  // namespace ckpt
