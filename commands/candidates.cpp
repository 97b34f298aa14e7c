// ckpt __complete KIND: what the shells' completion offers, one per line. Reads files only, starts no
// program, and says nothing when it cannot read.
#include <set>

#include "commands/engine_names.h"
#include "commands/options.h"
#include "commands/verbs.h"
#include "gpu/cdi.h"
#include "images/retention.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/program.h"
#include "runtimes/wrapper.h"

namespace ckpt {
namespace {

struct CandidatesOptions {
  std::string kind, action;
  std::vector<std::string> cdi_dirs;
};

using Names = std::set<std::string>;

Names images(const Context& context) {
  Names names;
  for (const StoredImage& image : stored_images(context.globals.store, std::nullopt))
    if (image.complete) names.insert({image.name, image.id + "@latest"});
  return names;
}

/// By id, and by what their engines call them.
Names containers(const Context& context) {
  Names names = context.known_ids();
  for (const EngineName& one : engine_names(context)) names.insert(one.full);
  return names;
}

/// The containers that have a checkpoint in the store.
Names saved(const Context& context) {
  Names ids;
  for (const StoredImage& image : stored_images(context.globals.store, std::nullopt))
    if (image.complete) ids.insert(image.id);
  return ids;
}

/// In the working directory, by their names.
Names archives() {
  Names names;
  std::error_code error;
  for (fs::directory_iterator it(".", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    for (const char* suffix : {".tar", ".tar.zst", ".tar.gz", ".tgz"})
      if (name.ends_with(suffix)) names.insert(name);
  }
  return names;
}

Names runtimes(const Context& context) {
  Names names = {"auto"};
  for (const RuntimeTable* row : all_runtimes())
    if (context.globals.runtime_path || find_program(row->name)) names.emplace(row->name);
  if (find_program(kNvidiaWrapper)) names.emplace(kNvidiaWrapper);
  return names;
}

Names devices(const CandidatesOptions& o) {
  const std::vector<std::string> names = CdiRegistry(cdi_dirs(o.cdi_dirs)).names();
  return {names.begin(), names.end()};
}

Names candidates(const Context& context, const CandidatesOptions& o) {
  if (o.kind == "containers") return containers(context);
  if (o.kind == "saved") return saved(context);
  if (o.kind == "images") return images(context);
  if (o.kind == "names" && o.action == "import") return archives();
  if (o.kind == "names") return o.action == "list" || o.action == "prune" ? saved(context) : images(context);
  return o.kind == "runtimes" ? runtimes(context) : devices(o);
}

int print(const Context& context, const CandidatesOptions& o) {
  for (const std::string& name : candidates(context, o))
    if (name.find_first_of("\n\r\t ") == std::string::npos) context.out.line(name);
  return 0;
}

}  // namespace

Action declare_candidates(CLI::App& app) {
  auto o = std::make_shared<CandidatesOptions>();
  app.add_option("--cdi-spec-dir", o->cdi_dirs, "where CDI specifications are")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("KIND", o->kind, "what is to be completed")
      ->required()
      ->check(one_of({"containers", "saved", "images", "names", "devices", "runtimes"}));
  app.add_option("ACTION", o->action, "of images");
  return [o](Context& context) { return print(context, *o); };
}

}  // namespace ckpt
