// Publishing by the note of a dead one.
#include "commands/left_behind.h"

#include "commands/describe.h"
#include "commands/recovery.h"
#include "images/compression.h"
#include "images/criu_mend.h"
#include "images/layer.h"
#include "images/state_file.h"
#include "images/store.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

/// CRIU writes inventory.img last of all, runsc checkpoint.img.
bool dump_is_whole(const fs::path& images, const Manifest& m) {
  std::error_code error;
  const char* last = table_of(m.target.kind).uses_criu ? "inventory.img" : "checkpoint.img";
  for (const fs::path& file : {images / last, images / (std::string(last) + kPackedSuffix)})
    if (fs::file_size(file, error) > 0 && !error) return true;
  return false;
}

/// A compression that was cut off: of a file that is there twice the original is whole.
void settle_compression(const fs::path& staging, Manifest& m) {
  for (const ImageFile& file : files_below(staging)) {
    const std::string original = without_packed_suffix(file.path);
    if (original == file.path) continue;
    if (fs::exists(staging / original))
      fs::remove(staging / file.path);
    else
      m.files.push_back({file.path, file.size, "", unpacked_size(staging / file.path)});
  }
}

/// Its container wrote nothing more: the layer is as it was at the dump.
void save_layer(const Context& context, const fs::path& staging, const Manifest& m) {
  if (!m.layer || fs::exists(staging / kDeletedFiles)) return;  // that is written last
  fs::remove(staging / kLayerTar);
  pack_layer(layer_of(context.globals.store, m.target, m.id), staging);
}

void mend_noted(const fs::path& staging, const fs::path& images) {
  mend_files(images, read_state_facts(staging).value_or(StateFacts{}).moved_sockets);
}

std::optional<Manifest> noted_manifest(const json& note) {
  if (!note.contains("manifest") || !note["manifest"].is_object()) return std::nullopt;
  try {
    return manifest_from_text(note["manifest"].dump(), "the note of a ckpt that is gone");
  } catch (const Error&) {
    return std::nullopt;
  }
}

void recover_one(const Context& context, const fs::path& directory, const std::string& id) {
  const json note = parse_json(read_file(directory / (id + ".lock")).value_or(""));
  const auto manifest = note.is_object() ? noted_manifest(note) : std::nullopt;
  if (!manifest) return;
  const Driver driver = context.driver_for_new(manifest->target.kind, manifest->target);
  if (context.lock_file(driver.target(), id).parent_path() != directory) return;
  try {
    ContainerLock lock(context.lock_file(driver.target(), id), "recovery", std::chrono::seconds(0));
    recover(context, driver, id, lock);
  } catch (const Error& error) {
    if (error.code != ErrorCode::busy) throw;
  }
}

}  // namespace

std::optional<std::string> publish_left_behind(const Context& context, const fs::path& staging,
                                               const json& note) {
  auto manifest = noted_manifest(note);
  if (!manifest) return std::nullopt;
  StagedImage image = StagedImage::left_behind(staging, *manifest);
  if (!dump_is_whole(image.runtime_images(), *manifest)) return std::nullopt;
  save_layer(context, staging, *manifest);
  const auto optional = [&](const auto& step) {
    try {
      step();
    } catch (const std::exception& error) {
      context.out.warn(fmt::format("'{}' is published, but {}", image.name(), error.what()));
    }
  };
  optional([&] { mend_noted(staging, image.runtime_images()); });
  optional([&] { settle_compression(staging, *manifest); });
  optional([&] { describe_dump(image.runtime_images(), *manifest); });
  for (const std::string& wrong : image.publish(*manifest))
    context.out.warn(fmt::format("'{}' is published, but {}", image.name(), wrong));
  return image.name();
}

void recover_left_behind(const Context& context, const std::string& id) {
  std::error_code error;
  for (fs::directory_iterator it(fs::path(context.globals.state_dir) / "locks", error), end;
       !error && it != end; it.increment(error))
    if (fs::exists(it->path() / (id + ".lock"), error)) recover_one(context, it->path(), id);
}

}  // namespace ckpt
