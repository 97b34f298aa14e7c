// Gathering what the page of a checkpoint says beside what is in it, and writing the page.
#include "commands/inspect_html.h"

#include <fmt/chrono.h>

#include <algorithm>

#include "commands/inspect_sections.h"
#include "runtimes/diagnosis.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

/// Of one that cannot be read the timeline says so.
std::optional<Manifest> readable_manifest(const fs::path& directory) {
  try {
    return read_manifest(directory);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// An image that is not in the store, at its place by time.
void add_shown(const Inspection& inspection, std::vector<Taken>& taken) {
  const Manifest& manifest = *inspection.image.manifest;
  Taken shown{.stored = {.id = manifest.id,
                         .name = inspection.image.directory.string(),
                         .path = inspection.image.directory,
                         .created = manifest.created,
                         .runtime = std::string(table_of(manifest.target.kind).name),
                         .bytes = inspection.bytes,
                         .complete = true},
              .manifest = manifest,
              .shown = true};
  const auto later = std::find_if(taken.begin(), taken.end(),
                                  [&](const Taken& one) { return one.stored.created > manifest.created; });
  taken.insert(later, std::move(shown));
}

std::vector<Taken> taken_of(const Context& context, const Inspection& inspection) {
  std::vector<Taken> taken;
  bool found = false;
  for (StoredImage& stored : stored_images(context.globals.store, inspection.image.manifest->id)) {
    std::error_code error;
    const bool shown = fs::equivalent(stored.path, inspection.image.directory, error);
    auto manifest = stored.complete ? readable_manifest(stored.path) : std::nullopt;
    taken.push_back({std::move(stored), std::move(manifest), shown});
    found = found || shown;
  }
  if (!found) add_shown(inspection, taken);
  return taken;
}

std::vector<FailureLog> failures_of(const fs::path& directory, const std::string& id) {
  std::vector<FailureLog> failures;
  for (const char* what : {"checkpoint", "restore"}) {
    const fs::path log =
        directory / fmt::format("{}.{}.log", id, what == std::string("restore") ? what : "dump");
    struct stat facts = {};
    if (::stat(log.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    const std::string text = read_file(log).value_or("");
    const Diagnosis known = diagnose(text);
    failures.push_back({.what = what,
                        .written = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(facts.st_mtime)),
                        .cause = known.cause.number == 0 ? "" : printable_line(known.cause.text),
                        .meaning = known.entry == nullptr ? "" : std::string(known.entry->meaning),
                        .path = log.string()});
  }
  return failures;
}

History history_of(const Context& context, const Inspection& inspection) {
  const fs::path failed = fs::path(context.globals.state_dir) / "failed";
  return {.taken = taken_of(context, inspection),
          .failures = failures_of(failed, inspection.image.manifest->id),
          .failures_directory = failed.string()};
}

/// The newest complete one that is older.
Before before_of(const std::vector<Taken>& taken) {
  const Taken* last = nullptr;
  for (const Taken& one : taken) {
    if (one.shown) break;
    if (one.manifest) last = &one;
  }
  if (last == nullptr) return {};
  try {
    return {.inspection = inspect({last->stored.path, last->manifest}, last->stored.name), .unread = {}};
  } catch (const Error& error) {
    return {.inspection = std::nullopt, .unread = error.message};
  }
}

HtmlPage page_of(const Context& context, const Inspection& inspection) {
  HtmlPage page{.title = inspection.name, .facts = {}, .sections = {}, .footer = {}};
  for (const auto& [label, text] : facts_of(inspection))
    if (!text.empty() && text != page.title) page.facts.emplace_back(label, text);
  page.facts.emplace_back("directory", inspection.image.directory.string());
  page.sections.push_back(memory_section(inspection));
  if (inspection.image.manifest) {
    const History history = history_of(context, inspection);
    page.sections.push_back(timeline_section(history));
    page.sections.push_back(changes_section(before_of(history.taken), inspection));
  }
  page.sections.push_back(contents_section(inspection));
  page.footer = fmt::format("Written by ckpt images inspect --html at {}.", now_rfc3339());
  return page;
}

}  // namespace

void require_html_target(const std::string& file) {
  if (file == "-") return;
  const fs::path whole = absolute_path(file);
  std::error_code error;
  if (!fs::is_directory(whole.parent_path(), error))
    throw Error(ErrorCode::usage, fmt::format("cannot write --html '{}': '{}' is no directory",
                                              whole.string(), whole.parent_path().string()));
  const fs::file_type type = fs::symlink_status(whole, error).type();
  if (type != fs::file_type::not_found && type != fs::file_type::regular)
    throw Error(ErrorCode::conflict,
                fmt::format("--html '{}' would be overwritten, and it is no regular file", whole.string()))
        .with_hint("name another file, or '-' for stdout");
}

void write_html(const Context& context, const Inspection& inspection, const std::string& file) {
  const std::string text = render_html(page_of(context, inspection));
  if (file == "-")
    context.out.raw(text);
  else
    write_file_atomic(absolute_path(file), text);
}

}  // namespace ckpt
