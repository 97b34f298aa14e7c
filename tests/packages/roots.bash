# shellcheck shell=bash
# Fresh Debian roots with what the package depends on, kept in build/roots until that changes; tests get copies.

# shellcheck source=scripts/lib.sh
. "$BATS_TEST_DIRNAME/../../scripts/lib.sh"

# make_root SUITE PACKAGES: nothing is done when it is there already.
make_root() {
  local suite=$1 packages=$2 kept new key mirror
  kept=$(build_dir)/roots/$suite
  key="$suite $packages"
  [[ $(cat -- "$kept/key" 2>/dev/null) != "$key" ]] || return 0
  mirror=$(mirror_uri "$suite") && require_network "$mirror" "$suite" || return
  mkdir -p -- "$(build_dir)/roots"
  new=$(mktemp -d -- "$kept.XXXXXX")
  apt-config dump | grep -E '^Acquire::(https?|Check-)' >"$new/apt.conf" || true
  if nice mmdebstrap --quiet --mode=root --variant=essential --aptopt="$new/apt.conf" --include="$packages" \
    "$suite" "$new/root" "deb $mirror $suite main" >"$new/log" 2>&1; then
    printf '%s\n' "$key" >"$new/key"
    rm -rf -- "$kept"
    mv -- "$new" "$kept"
  else
    cat -- "$new/log" >&2
    rm -rf -- "$new"
    return 1
  fi
}

# inside ROOT COMMAND...: with its own /proc and an empty /run, which end with the command.
inside() {
  # shellcheck disable=SC2016 # expands in the shell that it is for
  unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$0/proc" && mount -t tmpfs run "$0/run" && exec chroot "$0" "$@"' "$@"
}
