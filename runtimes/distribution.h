// Which distribution this is, and how one installs programs there. Pure.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct Distribution {
  enum class Family { debian, fedora, arch, suse, unknown };
  Family family = Family::unknown;
  std::string id;  ///< "ubuntu", as os-release(5) has it
};

/// From the text of /etc/os-release.
Distribution distribution_of(std::string_view os_release);

/// Commands that install these programs (runc, crun, runsc, criu, iptables, nftables), one per line; what no
/// command installs is said in a comment of the shell.
std::vector<std::string> install_commands(const Distribution& distribution,
                                          const std::set<std::string>& programs);

}  // namespace ckpt
