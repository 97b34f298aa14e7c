// The order of trust: the user's word, the new specification's mount at the same destination, the same file
// of the new pod, what was there then.
#include "commands/remap.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || directory == "/" || path.starts_with(directory + "/");
}

/// The last one hides others.
const SpecMount* mount_at(const std::vector<SpecMount>& mounts, const std::string& destination) {
  const auto found = std::find_if(mounts.rbegin(), mounts.rend(), [&](const SpecMount& one) {
    return without_slash(one.destination) == without_slash(destination);
  });
  return found == mounts.rend() ? nullptr : &*found;
}

std::string mapped_source(const MountMap& map, const std::string& source) {
  const std::string rest = source.substr(map.from == "/" ? 0 : map.from.size());
  return map.to == "/" && !rest.empty() ? rest : map.to + rest;
}

/// A destination wins over sources, a longer beginning over a shorter one.
std::optional<std::string> mapped(const BindMount& mount, const std::vector<SpecMount>& mounts,
                                  const std::vector<MountMap>& maps) {
  const MountMap* best = nullptr;
  for (const MountMap& map : maps) {
    if (map.from == without_slash(mount.destination)) return map.to;
    if (mount_at(mounts, map.from) != nullptr || !is_below(mount.source, map.from)) continue;
    if (best == nullptr || map.from.size() > best->from.size()) best = &map;
  }
  if (best == nullptr) return std::nullopt;
  return mapped_source(*best, mount.source);
}

bool fits(const HostFiles& files, const std::string& source, const std::string& kind) {
  const std::string there = files.kind(source);
  return !there.empty() && (kind.empty() || there == kind);
}

/// The same file of the new pod, which the old source leads to, or the new one, if that is an old one itself.
std::optional<Counterpart> new_pods(const ResolvedMount& mount, const SpecMount* at, const json& then,
                                    const json& now, const HostFiles& files) {
  auto first = counterpart(mount.then, mount.kind, then, now, files);
  if ((first && !first->path.empty()) || at == nullptr || !at->bind) return first;
  auto second = counterpart(at->source, mount.kind, then, now, files);
  return second && !second->path.empty() ? second : first;
}

/// What the mount gets when the new specification has nothing for it that fits.
void fall_back(ResolvedMount& mount, const SpecMount* at, const json& then, const json& now,
               const HostFiles& files) {
  const std::string why = at == nullptr ? "the new specification has no such mount"
                          : !at->bind
                              ? fmt::format("the new specification has a {} there", at->type)
                              : fmt::format("its source in the new specification, '{}', is {}", at->source,
                                            files.kind(at->source).empty() ? "not there" : "of another kind");
  if (const auto other = new_pods(mount, at, then, now, files)) {
    mount.now = other->path;
    if (mount.now.empty())
      mount.reason = fmt::format("{}, and {}", why, other->reason);
    else
      mount.how = "by the new " + other->by;
  } else if ((at == nullptr || !at->bind) && fits(files, mount.then, mount.kind)) {
    mount.now = mount.then;
    mount.reason = why + "; its source is as it was";
  } else {
    mount.reason =
        at != nullptr && at->bind ? why : fmt::format("{}, and '{}' is not there", why, mount.then);
  }
}

ResolvedMount resolve(const BindMount& mount, const std::string& kind, const json& then, const json& now,
                      const std::vector<MountMap>& maps, const HostFiles& files) {
  ResolvedMount out{mount.destination, mount.source, "", kind, "", ""};
  if (const auto source = mapped(mount, spec_mounts(then), maps)) {
    out.now = *source;
    out.how = "by --map-mount";
    return out;
  }
  if (now.is_null()) {
    out.now = mount.source;
    return out;
  }
  const std::vector<SpecMount> mounts = spec_mounts(now);
  const SpecMount* at = mount_at(mounts, mount.destination);
  if (at != nullptr && at->bind && fits(files, at->source, kind)) {
    out.now = at->source;
    if (out.now != out.then) out.how = "by its destination";
  } else {
    fall_back(out, at, then, now, files);
  }
  return out;
}

}  // namespace

std::vector<MountMap> parse_mount_maps(const std::vector<std::string>& pairs) {
  std::vector<MountMap> maps;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size() || pair[0] != '/')
      throw Error(ErrorCode::usage, fmt::format("--map-mount: '{}' is not OLD=NEW", printable(pair)))
          .with_hint("OLD is a mount's place in the container, or the beginning of its source, and absolute");
    MountMap map{without_slash(pair.substr(0, equals)),
                 without_slash(absolute_path(pair.substr(equals + 1)).string())};
    for (const MountMap& before : maps)
      if (before.from == map.from)
        throw Error(ErrorCode::usage, fmt::format("--map-mount names '{}' twice", map.from));
    maps.push_back(std::move(map));
  }
  return maps;
}

std::vector<ResolvedMount> resolve_mounts(const json& then, const json& now,
                                          const std::vector<MountFact>& facts,
                                          const std::vector<MountMap>& maps, const HostFiles& files) {
  std::vector<ResolvedMount> resolved;
  for (const BindMount& mount : bind_mounts(then)) {
    const auto fact = std::find_if(facts.begin(), facts.end(), [&](const MountFact& one) {
      return one.destination == mount.destination;
    });
    resolved.push_back(resolve(mount, fact == facts.end() ? "" : fact->kind, then, now, maps, files));
  }
  return resolved;
}

void require_used(const std::vector<MountMap>& maps, const json& then,
                  const std::vector<std::string>& others) {
  const std::vector<SpecMount> mounts = spec_mounts(then);
  std::vector<std::string> known;
  for (const BindMount& mount : bind_mounts(then))
    known.push_back(fmt::format("'{}' from '{}'", mount.destination, mount.source));
  for (const MountMap& map : maps) {
    if (std::find(others.begin(), others.end(), map.from) != others.end()) continue;
    const SpecMount* at = mount_at(mounts, map.from);
    if (at != nullptr && !at->bind)
      throw Error(
          ErrorCode::usage,
          fmt::format("--map-mount: the {} at '{}' has no source: it is in the image", at->type, map.from));
    if (at != nullptr) continue;
    if (std::any_of(mounts.begin(), mounts.end(),
                    [&](const SpecMount& one) { return one.bind && is_below(one.source, map.from); }))
      continue;
    throw Error(ErrorCode::usage,
                fmt::format("--map-mount: no mount is at '{}', and no source begins so", map.from))
        .with_hint(known.empty() ? "the container has no bind mounts"
                                 : fmt::format("there are: {}", fmt::join(known, ", ")));
  }
}

void apply_mounts(json& spec, const std::vector<ResolvedMount>& mounts) {
  if (!spec.contains("mounts")) return;
  for (json& mount : spec["mounts"])
    for (const ResolvedMount& one : mounts)
      if (!one.now.empty() && mount.value("destination", "") == one.destination) mount["source"] = one.now;
}

}  // namespace ckpt
