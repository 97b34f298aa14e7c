# podman on the runtime of the test, with everything of its own below $T.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions for later; variables of helpers.bash and for the tests

podman() {
  leaf
  environment
  "${ENVIRONMENT[@]}" HOME="$T" CONTAINERS_CONF="$T/containers.conf" PODMAN_IGNORE_CGROUPSV1_WARNING=1 "${LEAF[@]}" \
    "$(program podman)" --root "$T/podman" --runroot "$T/podman.run" --tmpdir "$T/podman.tmp" --storage-driver "$PODMAN" \
    --runtime-flag "root=$ROOT" --log-level error "$@" </dev/null 3>&-
}

# configure_podman DRIVER: overlay, or vfs, which leaves no mount behind
configure_podman() {
  local tree=$RUNTIMES/podman/tree
  requires podman
  PODMAN=$1
  mkdir -p "$T/.config/containers"
  echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$T/.config/containers/policy.json"
  cat >"$T/containers.conf" <<CONF
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "$KIND"
conmon_path = ["$tree/usr/bin/conmon"]
helper_binaries_dir = ["$tree/usr/lib/podman"]
[engine.runtimes]
$KIND = ["$PROGRAM"]
CONF
}

# What it keeps after its containers: a mount, and the cgroups above theirs, for which a run has --cgroup-parent /podman-$ID.
stop_podman() {
  [[ -n ${PODMAN-} ]] || return 0
  podman rm --all --force --time 0
  if [[ $PODMAN == overlay ]]; then umount "$T/podman/overlay"; fi
  await 'find /sys/fs/cgroup -depth -type d -path "*/podman-$ID*" -exec rmdir {} +' 5
}
