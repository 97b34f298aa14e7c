// From the decoded images to the manifest.
#include "images/criu_facts.h"

#include "images/criu_decode.h"

namespace ckpt {

void add_criu_facts(const std::filesystem::path& images, Manifest& manifest) {
  for (const ImageProcess& process : image_processes(images))
    manifest.processes.push_back({process.pid, process.comm});
  for (const ImageOpenFile& file : image_regular_files(images))
    if (file.size && !file.ghost && !file.external && file.path.starts_with('/'))
      manifest.open_files.push_back({file.path, *file.size});
}

}  // namespace ckpt
