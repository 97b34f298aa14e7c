// What is inside a checkpoint, gathered for `images inspect` to show.
#pragma once
#include <map>

#include "images/criu_decode.h"
#include "images/criu_descriptors.h"
#include "images/criu_memory.h"
#include "images/store.h"

namespace ckpt {

inline constexpr const char* kOpaque =
    "gVisor's image cannot be decoded: its format is private to the runsc that wrote it";

struct InspectedProcess {
  ImageProcess process;
  ImageMemory memory;
  std::vector<ImageDescriptor> descriptors;
};

struct Contents {
  std::vector<InspectedProcess> processes;
  std::vector<ImageOpenFile> files;
  std::vector<ImageSocket> sockets;
  std::vector<ImageMount> mounts;
  std::uint64_t shared_memory = 0;
};

struct Holder {
  int pid, fd;
};
/// Who has a file of files.img open.
using Holders = std::map<std::uint32_t, std::vector<Holder>>;

struct Inspection {
  Image image;
  std::string name;
  std::vector<ImageFile> files;  ///< largest first
  std::uint64_t bytes = 0;
  std::optional<Contents> contents;  ///< nullopt: gVisor's
  std::map<std::uint32_t, std::string> paths;
  Holders holders;
};

/// `name` is for an image without a manifest. Throws Error(image_invalid) for a directory without an image,
/// or a damaged one.
Inspection inspect(Image image, const std::string& name);

/// rw-s
std::string protection(const ImageMapping& mapping);
/// O_RDWR|O_APPEND
std::string open_flags(std::uint32_t flags);
/// Processes and descriptors, at most `most`, that have the file of files.img open: "1:3,2:5"; "-" for none.
std::string holders_text(const Inspection& inspection, std::uint32_t id, std::size_t most,
                         std::string_view separator);
/// Strategy, processes, size, driver and devices; "none".
std::string gpu_text(const GpuImage& gpu);
/// runc 1.3.4, CRIU 4.2
std::string versions_text(const Manifest& manifest);

/// Labels and what to say of them; an empty text says nothing.
using Facts = std::vector<std::pair<const char*, std::string>>;
/// What the manifest knows, and the size.
Facts facts_of(const Inspection& inspection);

}  // namespace ckpt
