// Retention's options, and its effect on one container's checkpoints.
#include "commands/retention.h"

#include "commands/options.h"

namespace ckpt {
namespace {

CLI::Validator count() {
  return CLI::Validator(
      [](std::string& value) {
        const bool good = !value.empty() && value.size() < 7 &&
                          value.find_first_not_of("0123456789") == value.npos &&
                          value.find_first_not_of('0') != value.npos;
        return good ? "" : "'" + value + "' is not a count; write 1 or more";
      },
      "N");
}

CLI::Validator size_or_percent() {
  return CLI::Validator(
      [](std::string& value) {
        return parse_size(value) || parse_percent(value)
                   ? ""
                   : "'" + value + "' is neither a size nor a share; write 500M, 10G or 15%";
      },
      "SIZE|N%");
}

FreeGoal free_goal(const std::string& value) {
  return {.bytes = parse_size(value).value_or(0), .percent = parse_percent(value)};
}

}  // namespace

void declare_retention(CLI::App& app, Retention& rules) {
  app.add_option("--keep-last", rules.keep_last, "keep the newest N checkpoints of a container")
      ->check(count());
  app.add_option_function<std::string>(
         "--keep-within", [&rules](const std::string& value) { rules.keep_within = parse_duration(value); },
         "keep those that are younger")
      ->check(duration());
  app.add_option_function<std::string>(
         "--max-bytes", [&rules](const std::string& value) { rules.max_bytes = parse_size(value); },
         "remove the oldest until the rest has at most SIZE")
      ->check(size());
  app.add_option_function<std::string>(
         "--min-free", [&rules](const std::string& value) { rules.min_free = free_goal(value); },
         "remove the oldest until the store's file system has that free")
      ->check(size_or_percent());
  for (const char* name : {"--keep-last", "--keep-within", "--max-bytes", "--min-free"})
    app.get_option(name)->group("Retention");
}

std::vector<std::string> prune(const Context& context, const std::string& id, const Retention& rules,
                               const std::string& just_taken) {
  finish_removals(context.globals.store, id);
  std::vector<StoredImage> images = stored_images(context.globals.store, id);
  for (StoredImage& image : images) image.just_taken = image.name == just_taken;
  std::vector<std::string> removed;
  for (const StoredImage& image : doomed(images, rules, ::time(nullptr), space_of(context.globals.store))) {
    remove_image(image.path);
    removed.push_back(image.name);
  }
  return removed;
}

}  // namespace ckpt
