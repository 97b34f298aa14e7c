# shellcheck shell=bash
# Helpers shared by the scripts in this directory: messages, what the machine must offer, where build/ is,
# and how to reach the Debian mirror that apt is already set up with. Source it; it runs nothing by itself.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die [-STATUS] MESSAGE...
die() {
  local status=1
  if [[ $1 =~ ^-[0-9]+$ ]]; then
    status=${1#-}
    shift
  fi
  say "$*"
  exit "$status"
}

# The directory that holds scripts/, whatever the current directory is.
repo_root() { (cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P); }

# The untracked directory for everything that can be made again.
build_dir() {
  local dir
  dir=$(repo_root)/build
  mkdir -p -- "$dir"
  printf '%s\n' "$dir"
}

# debian_flags KIND: what Debian compiles its packages with, hardened; without what is stripped anyway.
debian_flags() {
  (cd -- "$(repo_root)" &&
    DEB_BUILD_MAINT_OPTIONS=hardening=+all DEB_CFLAGS_MAINT_STRIP=-g DEB_CXXFLAGS_MAINT_STRIP=-g dpkg-buildflags --get "$1")
}

# configure_package ARGUMENT...: build/package, with the flags of Debian's packages
configure_package() {
  local cpp linked
  cpp=$(debian_flags CPPFLAGS) linked=$(debian_flags LDFLAGS)
  (cd -- "$(repo_root)" && cmake --preset package -D CMAKE_C_FLAGS="$(debian_flags CFLAGS) $cpp" \
    -D CMAKE_CXX_FLAGS="$(debian_flags CXXFLAGS) $cpp" -D CMAKE_EXE_LINKER_FLAGS="$linked" \
    -D CMAKE_MODULE_LINKER_FLAGS="$linked" "$@")
}

require_root() { [[ $(id -u) -eq 0 ]] || die "must be run as root"; }

require_programs() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || die "$program is not installed; run scripts/install-packages first"
  done
}

require_debian() { command -v apt-get >/dev/null || die "apt is needed: this is for Debian 12"; }

# Debian's code name of this machine, such as bookworm.
host_suite() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# Every repository that apt is set up with, in apt's order, one "SUITE URI" a line. Needs neither root nor package lists.
apt_sources() {
  apt-get update --print-uris | awk -F"'" '
    match($2, "/dists/[^/]+/InRelease$") {
      split(substr($2, RSTART), part, "/")
      print part[3], substr($2, 1, RSTART - 1)
    }'
}

# mirror_uri SUITE: where apt finds SUITE; if it is not set up, the mirror that serves this machine's own release.
mirror_uri() {
  local uri
  uri=$(apt_sources | awk -v suite="$1" -v host="$(host_suite)" '
    $1 == suite && !exact { exact = $2 }
    ($1 == host || $1 ~ /^(old)*stable$/) && !own { own = $2 }
    END { print exact ? exact : own }')
  [[ -n $uri ]] || die "apt has no source for Debian $(host_suite) to take the mirror from"
  printf '%s\n' "$uri"
}

# require_network URI SUITE: through apt's own transport, so that its proxies and credentials count.
require_network() {
  local probe status=0
  probe=$(mktemp)
  /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
    download-file "$1/dists/$2/InRelease" "$probe" >/dev/null 2>&1 || status=$?
  rm -f -- "$probe"
  [[ $status -eq 0 ]] || die "cannot reach $1 for Debian $2: no network?"
}

# ---- containers

# runtime_path NAME...: a PATH prefix with these of build/runtimes.
runtime_path() {
  local name path=''
  for name in "$@"; do path+=${path:+:}$(build_dir)/runtimes/$name/bin; done
  printf '%s\n' "$path"
}

readonly UNIFIED=/sys/fs/cgroup/unified

# Whether cgroup v1 and v2 are mounted side by side, which crun refuses.
hybrid_cgroups() { mountpoint -q "$UNIFIED" && [[ $(stat -f -c %T "$UNIFIED") == cgroup2fs ]]; }

# in_own_cgroup CGROUP COMMAND...: what makes crun work on such a host, a mount namespace in which the v2 tree is hidden.
# CRIU saves and restores the v2 tree below its own cgroup even then: that has to be an empty one.
in_own_cgroup() {
  # shellcheck disable=SC2016 # expanded by the shell that is started
  unshare -m --propagation slave bash -c '
    mkdir -p "$1" && echo $$ >"$1/cgroup.procs" && umount "$2" && mount -t tmpfs none "$2" && exec "${@:3}"' \
    bash "$UNIFIED/$1/leaf" "$UNIFIED" "${@:2}"
}

# unmount_below DIRECTORY: what a runtime that was killed in a restore leaves, deepest first.
unmount_below() {
  local place
  while read -r place; do
    umount -l -- "$place" || true
  done < <(awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
}

# remove_cgroups CGROUP: in every hierarchy, those that are empty.
remove_cgroups() { find /sys/fs/cgroup -depth -type d -path "*/$1*" -exec rmdir -- {} + 2>/dev/null || true; }
