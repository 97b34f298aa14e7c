// Signatures of CRIU's and runsc's failures, with their meaning and remedy; each seen on a real program.
#include "runtimes/criu_log.h"

#include <fmt/format.h>

#include <array>

#include "runtimes/fs.h"

namespace ckpt {
namespace {

struct Signature {
  std::string_view text;
  std::string_view meaning;
  std::string_view remedy;
  bool transient = false;  ///< a checkpoint looks for it and allows for it: it came in between
};

constexpr std::array kSignatures{
    Signature{
        "Can't lookup mount=", "a process holds a file or terminal that was opened outside the container",
        "start the container with ckpt run, or with pipes or /dev/null as its stdio"},
    Signature{"Connected TCP socket", "the container has an established TCP connection",
              "pass --tcp-established at checkpoint and at restore, or close the connection"},
    Signature{"Can't get 1:16 opt", "this CRIU cannot dump TCP sockets on this kernel",
              "install CRIU 4.2 or newer"},
    Signature{"Unexpected rt vDSO area bounds", "this CRIU is too old for this kernel",
              "install a newer CRIU"},
    Signature{"Some file locks are hold", "a process holds a file lock",
              "pass --file-locks at checkpoint and at restore", true},
    Signature{"External socket is used", "a process is connected to a unix socket outside the container",
              "pass --ext-unix-sk for a datagram socket, close a stream socket before"},
    Signature{"Can't dump half of stream unix connection",
              "a process is connected to a unix stream socket outside the container",
              "close the connection before the checkpoint"},
    Signature{"Can't dump ghost file", "a deleted file that is still open is larger than CRIU's ghost-limit",
              "set ghost-limit in CRIU's configuration", true},
    Signature{"Can't create link remap", "a deleted file that is still open has another name",
              "pass --link-remap, without --leave-running"},
    Signature{
        "Can't link ", "a link-remap file of the image is gone from the root file system",
        "take the checkpoint without --leave-running; such an image restores once per root file system"},
    Signature{"Can't dump file", "a process holds a device that CRIU cannot dump",
              "a GPU needs CRIU's cuda_plugin.so and cuda-checkpoint"},
    Signature{"has bad size", "a file that a process has open changed since the checkpoint",
              "put the file back as it was at the checkpoint"},
    Signature{"on restore: No such file", "a file that a process has open is gone since the checkpoint",
              "put the file back as it was at the checkpoint"},
    Signature{"No mapping for", "the bundle lacks a mount that the image has",
              "restore with the bundle that the container was started with"},
    Signature{"Can't fork for", "a process id of the image is in use",
              "use a private pid namespace, or stop the original"},
    Signature{"Locking network failed", "CRIU could not lock the network",
              "install iptables, or load xt_mark"},
    Signature{"Can't connect inet socket back",
              "the network namespace of the restored container has no working network",
              "give the container a network namespace by path, with lo up"},
    Signature{"bytes while", "an image file is cut short", "the image is damaged; restore another one"},
    Signature{"Unexpected EOF on", "an image file is missing or cut short",
              "the image is damaged; restore another one"},
    Signature{"Missing required plugin", "the image needs a CRIU plugin that is not installed",
              "install the plugin where CRIU looks"},
    Signature{"Tracking memory is not available", "this kernel cannot track changed memory",
              "checkpoint without a parent"},
    Signature{"Abort restore of existing cgroups", "the cgroup exists already",
              "use --manage-cgroups-mode soft"},
    Signature{"Nested mount namespaces", "a process made a mount namespace of its own",
              "such containers cannot be dumped by this CRIU"},
    Signature{"CPU instruction capabilities", "this CPU lacks features that the image needs",
              "restore on the same or a newer CPU"},
    Signature{"no host FD available", "an exec session was alive at the checkpoint",
              "checkpoint when no exec session runs"},
    Signature{"not found in CtxMemoryFileMap", "the sandbox had another --overlay2 at the checkpoint",
              "restore with the runtime flags of the checkpoint"},
    Signature{"no server FD available", "the bundle lacks a mount that the image has",
              "restore with the bundle that the container was started with"},
    Signature{"cannot run with network enabled in root network namespace",
              "this runsc has no network to give to the container", "pass --runtime-arg=--network=none"},
    Signature{"statefile cannot be empty", "the image is empty", "the image is damaged; restore another one"},
    Signature{"header error", "the image is cut short", "the image is damaged; restore another one"},
};

constexpr std::array<std::string_view, 8> kBenign{
    "RLIMIT_NOFILE",   "cgroupd: recv req error", "Dumping FAILED",     "Restoring FAILED",
    "Dump files (pid", "exited, status",          "Unable to open fd=", "Unable to detach from"};

bool benign(std::string_view line) {
  for (const std::string_view text : kBenign)
    if (line.find(text) != std::string_view::npos) return true;
  return false;
}

}  // namespace

Diagnosis diagnose_line(std::string_view line) {
  for (const Signature& signature : kSignatures)
    if (line.find(signature.text) != std::string_view::npos)
      return {std::string(line), std::string(signature.meaning), std::string(signature.remedy),
              signature.transient};
  return {std::string(line), "", ""};
}

std::optional<Diagnosis> diagnose_criu_log(std::string_view log) {
  for (std::size_t begin = 0; begin < log.size();) {
    const std::size_t end = std::min(log.find('\n', begin), log.size());
    const std::string_view line = log.substr(begin, end - begin);
    begin = end + 1;
    if (line.find("Error (") != std::string_view::npos && !benign(line)) return diagnose_line(line);
  }
  return std::nullopt;
}

void explain_by_log(Error& error, const fs::path& log) {
  const auto text = read_file(log);
  if (!text) return;
  error.with_log(log.string());
  const auto known = diagnose_criu_log(*text);
  if (!known) return;
  error.with_cause(known->cause);
  if (!known->remedy.empty()) error.with_hint(known->remedy);
  error.message += fmt::format("; {}", known->meaning.empty() ? known->cause : known->meaning);
}

}  // namespace ckpt
