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

}  // namespace

void declare_retention(CLI::App& app, Retention& rules) {
  app.add_option("--keep-last", rules.keep_last, "keep the newest N checkpoints of a container")
      ->check(count());
  app.add_option_function<std::string>(
         "--keep-within", [&rules](const std::string& value) { rules.keep_within = parse_duration(value); },
         "keep those that are younger")
      ->check(duration());
}

std::vector<std::string> prune(const Context& context, const std::string& id, const Retention& rules) {
  finish_removals(context.globals.store, id);
  std::vector<std::string> removed;
  for (const StoredImage& image : doomed(stored_images(context.globals.store, id), rules, ::time(nullptr))) {
    remove_image(image.path);
    removed.push_back(image.name);
  }
  return removed;
}

}  // namespace ckpt
