# Each test has its own directory, runtime root, store and state, and containers named after it. teardown removes
# all that and fails the test when ckpt or a runtime left anything: a process, a mount, a cgroup, a file.
#
# CKPT_TEST_RUNTIME is the runtime to test, a directory of build/runtimes. criu.bats is for runc and crun; runc.bats,
# crun.bats and runsc.bats for one kind, across.bats for several at once, engines.bats and powerloss.bats for those that
# they name and push.bats for one of them, all other files for each of them.
# shellcheck shell=bash disable=SC2034,SC2016,SC2119,SC2120 # variables, conditions and jq programs for later; optional $1

REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
readonly REPO RUNTIMES=$REPO/build/runtimes
readonly WANTED=${CKPT_TEST_RUNTIME:-runc-1.3} PATIENCE=20
readonly KNOWN='runc-1.1 runc-1.3 crun-1.21 crun runsc-2024 runsc criu busybox podman containerd checkpointctl gofakes3'

# requires NAME...: skips the test without them; where everything must be there, in CI, that is a failure.
requires() {
  local name missing=()
  for name in "$@"; do
    [[ " $KNOWN " == *" $name "* ]] || fail "requires: unknown name '$name'; there are: $KNOWN"
    [[ -n $(program "$name") ]] || missing+=("$name")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  [[ ${CI-} != true ]] || fail "missing in CI: ${missing[*]}"
  skip "missing: ${missing[*]}"
}

program() { find "$RUNTIMES/$1/bin" -type f -perm -1 -print -quit 2>/dev/null; }

fail() {
  printf '%s\n' "$*" >&2
  return 1
}

setup() {
  T=$(mktemp -d "$BATS_TEST_TMPDIR/t.XXXXXX")
  use_runtime "$WANTED"
  ID=ckptt$$-$BATS_TEST_NUMBER
  ROOT=$T/root
  STORE=$T/store
  STATE=$T/state
  LOG=$STORE/logs/$ID.log
  DATA=$T/data
  mkdir -p "$ROOT" "$DATA"
  CONTAINERS=("$ID")
  ROOTS=("$ROOT")
  BACKGROUND=()
  NETNS=
  DISK=
  requires "$WANTED" busybox
  [[ $KIND == runsc ]] || requires criu
}

# use_runtime NAME: the program behind ckpt's --runtime from here on.
use_runtime() {
  KIND=${1%%-*}
  NAME=$1
  PROGRAM=$(program "$1")
  BINARIES=$RUNTIMES/$1/bin:$RUNTIMES/criu/bin
  GLOBAL=()
  if [[ $KIND == runsc ]]; then GLOBAL=(--network=none --overlay2=none); fi
}

# ---- running ckpt and runtimes

# crun refuses a machine that has cgroup v1 and v2 mounted at once, and then CRIU would copy the whole v2 tree into the
# container's cgroup: it gets a v2 cgroup of its own and does not see the rest.
leaf() {
  local unified=/sys/fs/cgroup/unified
  LEAF=()
  [[ $KIND == crun && -n $(cat $unified/cgroup.controllers 2>/dev/null) ]] || return 0
  # shellcheck disable=SC2016 # expands in the shell that it is for
  LEAF=(unshare -m --propagation slave sh -c 'mkdir -p "$0" && echo $$ >"$0/cgroup.procs" && umount '"$unified"' &&
    mount -t tmpfs none '"$unified"' && exec "$@"' "$unified/leaf-$ID")
}

environment() {
  ENVIRONMENT=(env PATH="$BINARIES:$PATH" CKPT_STORE="$STORE" CKPT_STATE_DIR="$STATE")
}

# Only `run` says which runtime and root: ckpt has to know it itself afterwards.
ckpt() {
  leaf
  environment
  timeout 120 "${ENVIRONMENT[@]}" "${LEAF[@]}" "$SUITE/ckpt" "$@" </dev/null 3>&-
}

# start_ckpt ARGUMENT...: in the background, its pid in $started, its streams in $T/started.out and .err
start_ckpt() {
  leaf
  environment
  "${ENVIRONMENT[@]}" "${LEAF[@]}" "$SUITE/ckpt" "$@" </dev/null >"$T/started.out" 2>"$T/started.err" 3>&- &
  started=$!
  BACKGROUND+=("$started")
}

# is_ours PID: whether it is a ckpt of this test still; another one's may have its number by now
is_ours() { grep -aqsF "CKPT_STATE_DIR=$STATE" "/proc/$1/environ" "/proc/$1/cmdline"; }

# bare ARGUMENT...: the runtime itself
bare() {
  leaf
  environment
  "${ENVIRONMENT[@]}" "${LEAF[@]}" "$PROGRAM" --root "$ROOT" "${GLOBAL[@]}" "$@" 3>&-
}

run_options() {
  RUN=(--runtime "$KIND" --root "$ROOT" "${GLOBAL[@]/#/--runtime-arg=}")
}

# launch ID OPTION... [-- ARGUMENT...]: detached, from $BUNDLE
launch() {
  run_options
  ckpt "${RUN[@]}" run -d -b "$BUNDLE" "$@"
}

# ends_with STATUS COMMAND...: its output is in $output (both streams), stderr alone in $errors
ends_with() {
  local wanted=$1 status=0
  shift
  "$@" >"$T/out" 2>"$T/err" || status=$?
  output=$(<"$T/out")
  errors=$(<"$T/err")
  [[ $status -eq $wanted ]] || fail "status $status, not $wanted: $*" "$output" "$errors"
}

# says TEXT...: each of them is in the stderr of the last ends_with.
says() {
  local text
  for text in "$@"; do
    [[ $errors == *"$text"* ]] || fail "stderr lacks '$text': $errors"
  done
}

# await CONDITION [SECONDS]: until the shell expression is true
await() {
  local deadline=$((SECONDS + ${2:-$PATIENCE}))
  until eval "$1" 2>/dev/null; do
    ((SECONDS <= deadline)) || fail "not within ${2:-$PATIENCE} s: $1" || return
    sleep 0.05
  done
}

# slow_runtime VERB: the runtime in $SLOW writes its pid to $T/reached at VERB and waits as long as $T/hold is there.
slow_runtime() {
  SLOW=$T/slow/$KIND
  mkdir -p "$T/slow"
  : >"$T/hold"
  cat >"$SLOW" <<EOS
#!/bin/sh
case " \$* " in
  *" --help "* | *" help "*) ;;
  *" $1 "*)
    echo \$\$ >$T/reached
    while [ -e $T/hold ]; do sleep 0.05; done
    ;;
esac
exec $PROGRAM "\$@"
EOS
  chmod +x "$SLOW"
}

# ---- containers

# counter OPTION...: a running container that counts in $COUNT
counter() {
  COUNT=$DATA/count
  [[ -n ${BUNDLE-} ]] || bundle bundle /bin/payload counter /data/count
  launch "$@" "$ID"
  await '(($(count) > 5))'
}

# bundle NAME ARGUMENT...: $BUNDLE with busybox and the payload, $DATA at /data, that runs ARGUMENT...
bundle() {
  BUNDLE=$T/$1
  shift
  mkdir -p "$BUNDLE"/rootfs/{bin,dev,proc,sys,tmp,data}
  cp "$RUNTIMES/busybox/bin/busybox" "$SUITE/payload" "$BUNDLE/rootfs/bin/"
  ln -sf busybox "$BUNDLE/rootfs/bin/sh"
  (cd "$BUNDLE" && "$(program runc-1.1)" spec)
  edit --arg data "$DATA" --arg mark "CKPT_STATE_DIR=$STATE" --argjson args "$(json_list "$@")" '
    .process.terminal = false | .process.args = $args | .process.env += [$mark] | .root.readonly = false
    | .mounts += [{destination: "/data", type: "bind", source: $data, options: ["rbind", "rw"]}]'
}

# jq 1.6 takes what begins with a dash for an option of its own, wherever it stands.
json_list() { printf '%s\n' "$@" | jq -nR '[inputs]'; }

# edit JQ-ARGUMENT...: changes $BUNDLE/config.json
edit() {
  local config=$BUNDLE/config.json new
  new=$(jq "$@" <"$config") && printf '%s\n' "$new" >"$config"
}

# A network namespace that outlives the container, with lo up.
make_netns() {
  NETNS=$ID
  ip netns add "$NETNS"
  ip -n "$NETNS" link set lo up
}

# join_netns NAME: the configuration of $BUNDLE names it.
join_netns() { edit --arg path "/run/netns/$1" '(.linux.namespaces[] | select(.type == "network")).path = $path'; }

# count [FILE]: the last word of the payload's file, 0 before there is one. A payload that was dumped while it wrote adds its
# line to what a test has put there.
count() {
  local -a words=()
  if [[ -s ${1:-$COUNT} ]]; then read -r -d '' -a words <"${1:-$COUNT}" || true; fi
  words=(0 "${words[@]}")
  printf '%s\n' "${words[-1]}"
}

counts_on() {
  local from
  from=$(count)
  await "((\$(count) > $from + ${1:-2}))"
}

# goes_on_from NUMBER: the first other number that appears is a larger one; a fresh start would begin with 1.
goes_on_from() {
  local now
  await "[[ \$(count) != $1 ]]" || return
  now=$(count)
  ((now > $1)) || fail "it counts from $now, not on from $1"
}

log_is_whole() {
  local lines
  await "[[ \$(wc -l <'$LOG') -ge $1 ]]" || fail "$LOG has only $(wc -l <"$LOG") lines, not $1" || return
  ckpt logs "$ID" | tr -d '\r' >"$T/log.now"
  lines=$(wc -l <"$T/log.now")
  diff <(seq -f 'line %.0f' "$lines") <(head -n "$lines" "$T/log.now") || fail "a line is lost or doubled"
}

status_of() { ckpt state "$1" | jq -r .status; }

is_running() {
  local now
  now=$(status_of "$1")
  [[ $now == running ]] || fail "'$1' is $now: $(ckpt logs "$1" | tail -n 3)"
}

# ---- leaving nothing behind

teardown() {
  local left id root pid
  if declare -F stop_engines >/dev/null; then stop_engines >/dev/null 2>&1 || true; fi
  for pid in "${BACKGROUND[@]}"; do if is_ours "$pid"; then kill -KILL "$pid" || true; fi; done 2>/dev/null
  rm -f "$T/hold"
  for id in "${CONTAINERS[@]}"; do
    for root in "${ROOTS[@]}"; do ckpt --root "$root" delete --force "$id" || true; done
  done
  if [[ -n $DISK ]]; then umount "$STORE"; fi
  if [[ -n $NETNS ]]; then ip netns delete "$NETNS"; fi
  unmount_null_netns
  remove_unseen_cgroups
  await '[[ -z $(leftovers) ]]' 5 2>/dev/null
  left=$(leftovers)
  [[ -z $left ]] || clean_up_hard
  rmdir /sys/fs/cgroup/unified/leaf-"$ID" 2>/dev/null || true
  rm -rf --one-file-system "$T"
  [[ -z $left ]] || fail "left behind:" "$left"
}

# The current runsc keeps an empty network namespace mounted in its root, for all its containers.
unmount_null_netns() {
  local root
  for root in "${ROOTS[@]}"; do umount "$root/null-netns" && rm "$root/null-netns"; done 2>/dev/null
  return 0
}

# What CRIU made in the v2 tree, where crun in its leaf does not see it.
remove_unseen_cgroups() {
  leaf
  [[ ${#LEAF[@]} -gt 0 ]] || return 0
  find /sys/fs/cgroup/unified -depth -type d -name "*$ID*" ! -name "leaf-$ID" -exec rmdir {} + 2>/dev/null || true
}

processes() {
  printf '%s\n' "CKPT_STATE_DIR=$STATE" "${ROOTS[@]}" >"$T/mark"
  grep -alF -f "$T/mark" /proc/[0-9]*/{environ,cmdline} 2>/dev/null | cut -d / -f 3 | sort -u
}

cgroups() { find /sys/fs/cgroup -depth -type d -name "*$ID*" ! -name "leaf-$ID" ! -path "*/leaf-$ID/*" 2>/dev/null; }

mounts() { cut -d ' ' -f 5 /proc/self/mountinfo | grep -F "$T/" | sort -r; }

files() {
  find "$STATE/containers" "$STATE/tmp" "${ROOTS[@]}" ! -type d ! -name .gitignore -print 2>/dev/null
  find "$T" \( -name criu-root -o -name '.criu.cgyard*' -o -name '.gvisor.filestore*' \) -print 2>/dev/null
  find "$STORE" -mindepth 1 -name '.*' -print 2>/dev/null
}

leftovers() {
  local pid path
  for pid in $(processes); do printf 'process %s: %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"; done 2>/dev/null
  for path in $(mounts); do printf 'mount %s\n' "$path"; done
  for path in $(cgroups); do printf 'cgroup %s\n' "$path"; done
  for path in $(files); do printf 'file %s\n' "$path"; done
}

clean_up_hard() {
  local pid path
  for pid in $(processes); do kill -KILL "$pid" || true; done
  await '[[ -z $(processes) ]]' 5
  for path in $(mounts); do umount -l "$path" || true; done
  for path in $(cgroups); do rmdir "$path" || true; done
} 2>/dev/null
