// Names that engines gave, of containers that may be in the store only.
#include "commands/engine_names.h"

#include "commands/engine_restore.h"
#include "images/store.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"

namespace ckpt {
namespace {

std::vector<EngineName> saved_names(const Context& context) {
  std::vector<EngineName> names;
  std::error_code error;
  const fs::path homes = fs::path(context.globals.store) / "checkpoints";
  for (fs::directory_iterator it(homes, error), end; !error && it != end; it.increment(error)) {
    const std::string id = it->path().filename().string();
    const std::vector<fs::path> all =
        valid_id(id) ? complete_checkpoints(context.globals.store, id) : std::vector<fs::path>();
    if (all.empty()) continue;
    try {
      if (const auto engine = engine_of_image(image_at(all.back()))) names.push_back(name_of(id, *engine));
    } catch (const Error&) {  // one that cannot be read is found by its id alone
    }
  }
  return names;
}

}  // namespace

EngineName name_of(const std::string& id, const Engine& engine) {
  return {id, plain(full_name(engine)), engine.pod.empty() ? engine.container : ""};
}

std::string id_in_store(const Context& context, const std::string& name) {
  if (valid_id(name) && !complete_checkpoints(context.globals.store, name).empty()) return name;
  if (const auto id = name.empty() ? std::nullopt : id_called(saved_names(context), name)) return *id;
  return id_of(context, name);
}

}  // namespace ckpt
