// Finding programs: PATH, then the sbin directories, which cron's and systemd's PATH may lack.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// The search path of ckpt and of its children: PATH and behind it /usr/local/sbin:/usr/sbin:/sbin. CRIU
/// needs iptables-restore from there (facts: its network lock fails without). A set-uid ckpt ignores PATH.
std::string search_path();
/// Absolute path of an executable regular file; a name with a slash is taken as it is. nullopt when there is
/// none.
std::optional<std::string> find_program(std::string_view name);
/// What an option of the runtime names as CRIU, in its arguments (runc 1.1: --criu PATH, --criu=PATH), is
/// what find_program("criu") answers from then on. To be called before other threads are there.
void heed_criu_argument(const std::vector<std::string>& runtime_args);
/// A program or module that is installed with ckpt (libexec/ckpt/NAME, seen from ckpt's own program) or built
/// beside it. Never looked for in PATH; beside a set-uid ckpt only where none but root can put things.
std::optional<std::string> own_helper(const std::string& name);
/// An environment variable; nullopt when unset, empty, or when ckpt runs set-uid.
std::optional<std::string> environment_variable(const char* name);

}  // namespace ckpt
