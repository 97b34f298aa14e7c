// Instants as they stand in files of other tools, and as names of checkpoints.
#pragma once
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// RFC 3339, with a fraction and an offset or without. Pure.
std::optional<timespec> parse_instant(const std::string& text);
/// 2026-11-21T20:48:22.539993286Z
std::string instant_text(const timespec& instant);

/// 20261121T204822Z-8a3f01: the six digits are the fraction of the second, so that names sort by time even
/// when two checkpoints of a container are taken in one second.
std::string stamp_of(const timespec& instant);
/// An instant whose stamp that is; nullopt for another name.
std::optional<timespec> instant_of(const std::string& stamp);
/// For a checkpoint that is taken `now` beside those of `names`: stamps, also of hidden ones (".",
/// ".removed-"). It sorts after all of them: where one is later than the clock, it is a second later than
/// that. Pure.
std::string stamp_after(const std::vector<std::string>& names, const timespec& now);

}  // namespace ckpt
