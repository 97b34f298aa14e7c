// Field numbers are those of CRIU's images/*.proto (4.2; older ones lack some); each decoder names its
// message.
#include "images/criu_decode.h"

#include <map>
#include <set>

#include "images/criu_entries.h"
#include "runtimes/fs.h"

namespace ckpt {
namespace {

// ---- processes

/// One of the process tree, before its core file has told whether it was alive.
struct TreeEntry {
  ImageProcess process;
  std::vector<std::uint64_t> threads;  ///< as written
};

/// pstree_entry
TreeEntry to_tree_entry(Message entry) {
  TreeEntry one;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) one.process.pid = to_int(m.value());
    if (field == 2) one.process.ppid = to_int(m.value());
    if (field == 5 && !m.append_to(one.threads)) throw Damage();
  });
  return one;
}

struct Task {
  std::string comm;
  bool ended = false;  ///< nobody had waited for it yet
};

/// core_entry{tc = 3: task_core_entry{task_state = 1, comm = 6}}
Task task_of(const fs::path& images, int pid) {
  constexpr std::uint64_t kDead = 2, kZombie = 6;  // TASK_DEAD, TASK_ZOMBIE, criu/include/pid.h
  Task task;
  each_entry(images / fmt::format("core-{}.img", pid), [&](Message core) {
    each_field(core, [&](std::uint64_t field, const Message& m) {
      if (field != 3) return;
      each_field(m.message(), [&](std::uint64_t inner, const Message& tc) {
        if (inner == 1) task.ended = tc.value() == kDead || tc.value() == kZombie;
        if (inner == 6) task.comm = tc.text();
      });
    });
  });
  return task;
}

/// Of one that has ended CRIU writes its thread's number without having set it.
ImageProcess to_process(const fs::path& images, TreeEntry one) {
  const Task task = task_of(images, one.process.pid);
  one.process.comm = task.comm;
  if (task.ended)
    one.process.threads = {one.process.pid};
  else
    for (const std::uint64_t thread : one.threads) one.process.threads.push_back(to_int(thread));
  return one.process;
}

// ---- files

/// reg_file_entry
ImageOpenFile to_open_file(Message entry) {
  ImageOpenFile file;
  each_field(entry, [&](std::uint64_t field, const Message& m) {
    if (field == 1) file.id = static_cast<std::uint32_t>(m.value());
    if (field == 2) file.flags = static_cast<std::uint32_t>(m.value());
    if (field == 6) file.path = m.text();
    if (field == 7) file.mount_id = m.signed_value();
    if (field == 8) file.size = m.value();
    if (field == 9) file.external = m.value() != 0;
    if (field == 10) file.mode = static_cast<std::uint32_t>(m.value());
  });
  return file;
}

/// remap_file_path_entry{orig_id = 1, remap_id = 2, remap_type = 3}: ids of the files that had lost the name
/// they were opened by, and whether the image has their content.
std::map<std::uint32_t, bool> nameless_in(const fs::path& images) {
  constexpr std::uint64_t kGhost = 1, kOldGhost = 1U << 31U;  // before there were types, a bit of remap_id
  std::map<std::uint32_t, bool> nameless;
  each_entry(images / "remap-fpath.img", [&](Message entry) {
    std::uint64_t id = 0, remap = 0;
    std::optional<std::uint64_t> type;
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field == 1) id = m.value();
      if (field == 2) remap = m.value();
      if (field == 3) type = m.value();
    });
    nameless[static_cast<std::uint32_t>(id)] = type ? *type == kGhost : (remap & kOldGhost) != 0;
  });
  return nameless;
}

}  // namespace

std::vector<ImageProcess> image_processes(const fs::path& images) {
  std::vector<TreeEntry> entries;
  constexpr std::size_t kMost = 1U << 16U;
  std::set<int> pids;  // twice the same one would have its files read twice, and again
  const fs::path tree = images / "pstree.img";
  each_entry(tree, [&](Message entry) {
    entries.push_back(to_tree_entry(entry));
    if (!pids.insert(entries.back().process.pid).second || pids.size() > kMost) throw Damage();
  });
  std::vector<ImageProcess> processes;
  try {
    for (TreeEntry& one : entries) processes.push_back(to_process(images, std::move(one)));
  } catch (const Damage&) {
    throw_damaged(tree, "is damaged");
  }
  return processes;
}

std::vector<ImageOpenFile> image_regular_files(const fs::path& images) {
  std::vector<ImageOpenFile> files;
  each_entry(images / "files.img", [&](Message entry) {  // file_entry{reg = 3}
    each_field(entry, [&](std::uint64_t field, const Message& m) {
      if (field == 3) files.push_back(to_open_file(m.message()));
    });
  });
  // Where older CRIU had them.
  each_entry(images / "reg-files.img", [&](Message entry) { files.push_back(to_open_file(entry)); });
  const std::map<std::uint32_t, bool> nameless = nameless_in(images);
  for (ImageOpenFile& file : files) {
    const auto found = nameless.find(file.id);
    if (found == nameless.end()) continue;
    file.ghost = found->second;
    if (!file.ghost) file.size.reset();
  }
  return files;
}

}  // namespace ckpt
