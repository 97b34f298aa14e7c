// Container records as small JSON files, replaced atomically.
#include "runtimes/record.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/ids.h"
#include "runtimes/json.h"
#include "runtimes/procfs.h"
#include "runtimes/spec.h"

namespace ckpt {
namespace {

using nlohmann::json;

json to_json(const Record& r) {
  json out = {{"id", r.id},
              {"runtime", table_of(r.target.kind).name},
              {"runtime_path", r.target.path},
              {"root", r.target.root},
              {"runtime_args", r.target.runtime_args},
              {"bundle", r.bundle},
              {"config_digest", r.config_digest},
              {"log_path", r.log_path},
              {"created", r.created},
              {"terminal", r.terminal},
              {"attached", r.attached},
              {"stdio_pipes", r.stdio_pipes},
              {"pid", r.pid},
              {"monitor", r.monitor},
              {"monitor_start", r.monitor_start}};
  if (r.target.platform) out["platform"] = *r.target.platform;
  if (r.target.nvproxy) out["nvproxy"] = true;
  if (!r.gpus.empty()) out["gpus"] = r.gpus;
  if (!r.layer.empty()) out["layer"] = r.layer;
  return out;
}

std::optional<Record> from_json(const json& in) {
  const RuntimeTable* table = runtime_named(in.value("runtime", ""));
  if (table == nullptr) return std::nullopt;
  Record r;
  r.id = in.at("id");
  r.target = {.kind = table->kind,
              .path = in.at("runtime_path"),
              .root = in.at("root"),
              .nvproxy = in.value("nvproxy", false),
              .runtime_args = in.at("runtime_args").get<Argv>()};
  r.gpus = in.value("gpus", Argv{});
  r.layer = in.value("layer", "");
  if (in.contains("platform")) r.target.platform = in["platform"].get<std::string>();
  r.bundle = in.at("bundle");
  r.config_digest = in.at("config_digest");
  r.log_path = in.at("log_path");
  r.created = in.at("created");
  r.terminal = in.at("terminal");
  r.attached = in.at("attached");
  r.stdio_pipes = in.at("stdio_pipes");
  r.pid = in.at("pid");
  r.monitor = in.at("monitor");
  r.monitor_start = in.at("monitor_start");
  return r;
}

/// A record that cannot be read is one that a crash cut short before its first rename: as if it were not
/// there.
std::optional<Record> read_record(const fs::path& directory) {
  const auto text = read_file(directory / "record.json");
  if (!text) return std::nullopt;
  const json parsed = parse_json(*text);
  if (!parsed.is_object()) return std::nullopt;
  try {
    return from_json(parsed);
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

json read_json(const fs::path& path) {
  const auto text = read_file(path);
  return text ? parse_json(*text) : json();
}

}  // namespace

fs::path Records::directory(RuntimeKind kind, const std::string& root, const std::string& id) const {
  return base_ / directory_of_root(kind, root) / id;
}

std::optional<Record> Records::load(RuntimeKind kind, const std::string& root, const std::string& id) const {
  return read_record(directory(kind, root, id));
}

void Records::save(const Record& record) const {
  make_private_dirs(directory(record));
  write_file_atomic(directory(record) / "record.json", json_text(to_json(record), 1));
}

std::vector<Record> Records::all() const {
  std::vector<Record> records;
  std::error_code error;
  for (fs::directory_iterator root(base_, error), end; !error && root != end; root.increment(error)) {
    std::error_code inner;
    for (fs::directory_iterator it(root->path(), inner); !inner && it != end; it.increment(inner))
      if (auto record = read_record(it->path())) records.push_back(std::move(*record));
  }
  return records;
}

std::vector<Record> Records::of_id(const std::string& id) const {
  std::vector<Record> records;
  std::error_code error;
  for (fs::directory_iterator root(base_, error), end; !error && root != end; root.increment(error))
    if (auto record = read_record(root->path() / id)) records.push_back(std::move(*record));
  return records;
}

void Records::remove(const Record& record) const {
  if (!record.layer.empty()) remove_tree(record.layer);
  remove_tree(directory(record));
  ::rmdir(directory(record).parent_path().c_str());
}

std::optional<ExitRecord> Records::exit(const Record& record) const {
  const json in = read_json(directory(record) / "exit.json");
  if (!in.is_object()) return std::nullopt;
  try {
    ExitRecord exit{.status = std::nullopt,
                    .finished = in.value("finished", ""),
                    .checkpointed_to = in.value("checkpointed_to", "")};
    if (in.contains("exit_status") && in["exit_status"].is_number())
      exit.status = in["exit_status"].get<int>();
    return exit;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

void Records::save_exit(const Record& record, const ExitRecord& exit) const {
  const fs::path home = directory(record);
  if (!fs::exists(home)) return;
  json out = {{"finished", exit.finished}, {"exit_status", nullptr}};
  if (exit.status) out["exit_status"] = *exit.status;
  const json stopping = read_json(home / "stopping.json");
  const std::string checkpoint = exit.checkpointed_to.empty() && stopping.is_object()
                                     ? stopping.value("checkpoint", "")
                                     : exit.checkpointed_to;
  if (!checkpoint.empty()) out["checkpointed_to"] = checkpoint;
  write_file_atomic(home / "exit.json", json_text(out, 1));
}

void Records::mark_stopping(const Record& record, const std::string& checkpoint) const {
  const fs::path file = directory(record) / "stopping.json";
  if (checkpoint.empty())
    ::unlink(file.c_str());
  else
    write_file_atomic(file, json_text(json{{"checkpoint", checkpoint}}));
}

void Records::note_lost_output(const Record& record, const std::string& why) const {
  try {
    write_file_atomic(directory(record) / "lost-output", fmt::format("since {}: {}", now_rfc3339(), why));
  } catch (const Error&) {
    // The state directory is full as well; the log's own gap remains the only trace.
  }
}

std::string Records::lost_output(const Record& record) const {
  return read_file(directory(record) / "lost-output").value_or("");
}

std::string directory_of_root(RuntimeKind kind, const std::string& root) {
  return fmt::format("{}-{}", table_of(kind).name, digest_of(root).substr(0, 8));
}

bool monitor_alive(const Record& record) {
  return record.monitor > 0 && same_process(record.monitor, record.monitor_start);
}

bool wait_for_monitor(const Record& record, int milliseconds) {
  if (record.monitor == ::getpid() || !monitor_alive(record)) return true;
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, record.monitor, 0)));
  if (!pidfd || !monitor_alive(record)) return true;
  pollfd polled = {pidfd.get(), POLLIN, 0};
  return ::poll(&polled, 1, milliseconds) > 0;
}

}  // namespace ckpt
