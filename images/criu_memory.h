// The memory in a CRIU image: each process' mappings, and how much of them the image holds.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ckpt {

struct ImageMapping {
  std::uint64_t start = 0, end = 0;
  std::uint32_t protection = 0;  ///< PROT_READ and so on
  bool shared = false;
  std::uint32_t file_id = 0;    ///< of an ImageOpenFile; 0: no file
  std::string kind;             ///< file, anonymous, heap, stack, shared, sysv, socket, aio, vdso, vvar, ...
  std::uint64_t in_image = 0;   ///< bytes
  std::uint64_t in_parent = 0;  ///< bytes that an earlier pre-dump holds
  std::uint64_t size() const { return end - start; }
};

struct ImageMemory {
  std::vector<ImageMapping> mappings;  ///< by address; without vsyscall, which is the kernel's
  std::uint64_t mapped = 0, in_image = 0, in_parent = 0;
};

/// Of one process. Throws Error(image_invalid) as criu_decode.h says.
ImageMemory image_memory(const std::filesystem::path& images, int pid);
/// Bytes of memory that processes share without a file; no process' `in_image` has them.
std::uint64_t image_shared_memory(const std::filesystem::path& images);

}  // namespace ckpt
