// The rounds of a pre-copy.
#include "commands/pre_copy.h"

#include "commands/checkpoint_dump.h"
#include "commands/criu.h"
#include "images/criu_images.h"
#include "runtimes/fs.h"
#include "runtimes/interrupt.h"

namespace ckpt {
namespace {

using std::chrono::seconds;

[[noreturn]] void refuse(const std::string& why, const std::string& hint) {
  throw Error(ErrorCode::unsupported, "--pre-copy is not possible: " + why).with_hint(hint);
}

PreDump one_round(const Context& context, const CheckpointPlan& plan, const StagedImage& image,
                  const fs::path& scratch, std::size_t number) {
  PreDump round{.directory = pre_dump_directory(number)};
  const fs::path directory = image.directory() / round.directory;
  make_private_dirs(directory);
  const Delivery delivery = delivery_of(plan, pre_dump_opts(plan, image, number));
  round.seconds = run_dump(context, plan, delivery, scratch, directory, fmt::format("pre-dump {}", number));
  if (const auto stats = dump_stats(directory / "stats-dump")) round.pages = stats->pages_written;
  return round;
}

}  // namespace

void require_pre_copy(const Context& context, const CheckpointPlan& plan) {
  if (!plan.driver().table().uses_criu)
    refuse("gVisor saves all of the memory at once", "leave it out for containers of runsc");
  if (plan.cedana) refuse("Cedana has no dump of memory alone", "leave it or --engine out");
  if (!plan.gpu.processes.empty())
    refuse(fmt::format("'{}' has CUDA processes, whose GPU memory cannot be copied before they are frozen",
                       plan.id()),
           "leave it out for this container");
  Command check{.program = require_criu(), .args = {"check", "--feature", "mem_dirty_track"}};
  check.timeout = seconds(30);
  const Result result = context.runner.run(check);
  if (result.interrupted) throw interrupted_error(*result.interrupted);
  if (!result.ok())
    refuse("this kernel does not track changed memory ('criu check --feature mem_dirty_track' says no)",
           "it needs CONFIG_MEM_SOFT_DIRTY; leave --pre-copy out on this host");
}

std::optional<PreCopyOptions> parse_pre_copy(const std::string& text) {
  if (text == "auto") return PreCopyOptions{};
  const bool number =
      !text.empty() && text.size() < 3 && text.find_first_not_of("0123456789") == std::string::npos;
  const int rounds = number ? std::stoi(text) : 0;
  return rounds > 0 ? std::optional(PreCopyOptions{.most = rounds, .exact = true}) : std::nullopt;
}

std::string pre_dump_directory(std::size_t number) {
  return fmt::format("pre-{}", number);
}

std::string parent_path(const StagedImage& image, const std::string& directory) {
  return image.images() == "." ? directory : "../" + directory;
}

CheckpointOpts pre_dump_opts(const CheckpointPlan& plan, const StagedImage& image, std::size_t number) {
  CheckpointOpts opts = plan.opts;
  const std::string directory = (image.directory() / pre_dump_directory(number)).string();
  opts.image_path = directory;
  opts.work_dir = directory;
  opts.leave_running = true;
  opts.pre_dump = true;
  if (number > 1) opts.parent_path = "../" + pre_dump_directory(number - 1);
  return opts;
}

bool another_round(const PreCopyOptions& wanted, const std::vector<std::uint64_t>& pages) {
  constexpr std::uint64_t kFew = 1024;  // 4 MiB are dumped in the time that another round takes to begin
  if (pages.size() >= static_cast<std::size_t>(wanted.most)) return false;
  if (wanted.exact || pages.empty()) return true;
  if (pages.back() <= kFew) return false;
  return pages.size() < 2 || pages.back() < pages[pages.size() - 2] / 10 * 8;
}

std::vector<PreDump> copy_before(const Context& context, const CheckpointPlan& plan, const StagedImage& image,
                                 const fs::path& scratch) {
  std::vector<PreDump> rounds;
  std::vector<std::uint64_t> pages;
  while (another_round(*plan.pre_copy, pages)) {
    throw_if_interrupted();
    rounds.push_back(one_round(context, plan, image, scratch, rounds.size() + 1));
    pages.push_back(rounds.back().pages);
    context.out.detail(fmt::format("pre-dump {} of '{}': {} pages in {:.2f} s", rounds.size(), plan.id(),
                                   pages.back(), rounds.back().seconds));
  }
  throw_if_interrupted();
  return rounds;
}

}  // namespace ckpt
