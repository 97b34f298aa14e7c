# shellcheck shell=bash
# A place of its own for every test, runtimes that are fakes in it, and the assertions.

bats_require_minimum_version 1.7.0

FIXTURES=$BATS_TEST_DIRNAME/../fixtures/help

# ---- the place

# One directory per test: bin (in PATH), root, store, state, bundle, and the fake's own.
make_place() {
  T=$BATS_TEST_TMPDIR
  MOUNTS=()
  BACKGROUND=
  local variable
  for variable in $(compgen -e CKPT_); do unset "$variable"; done
  unset runtime
  export T ROOT=$T/root STORE=$T/store CKPT_STATE_DIR=$T/state BUNDLE=$T/bundle
  export FAKE_DIR=$T/fake FAKE_RECORD=$T/fake/record
  export CKPT_ROOT=$ROOT CKPT_STORE=$STORE
  mkdir -p "$T/bin" "$ROOT" "$STORE" "$CKPT_STATE_DIR" "$FAKE_DIR/do" "$FAKE_DIR/go" "$FAKE_DIR/help" \
    "$FAKE_DIR/version" "$T/away"
  make_bundle "$BUNDLE"
  install_runtime runc 1.3
  install_runtime crun 1.28
  install_runtime runsc 2026
  ln -s "$FAKE_RUNTIME" "$T/bin/criu"
  echo -n 4.2 >"$FAKE_DIR/version/criu"
  export PATH=$T/bin:/usr/bin:/bin
  cd "$T/away" || return 1
}

make_bundle() {
  mkdir -p "$1/rootfs"
  cat >"$1/config.json" <<'JSON'
{"ociVersion": "1.0.2",
 "process": {"terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["sleep", "1000"], "cwd": "/"},
 "root": {"path": "rootfs"},
 "linux": {}}
JSON
}

# images_say [KEY=VALUE...]: CRIU's images of the checkpoints from here on, see criu_images.py.
images_say() { "$BATS_TEST_DIRNAME/criu_images.py" "$FAKE_DIR/images" "$@"; }

# install_runtime NAME VERSION: the fake under that name, with the help of the real one of that version.
install_runtime() {
  local verb
  ln -sf "$FAKE_RUNTIME" "$T/bin/$1"
  echo -n "$2" >"$FAKE_DIR/version/$1"
  for verb in checkpoint restore exec global; do
    cp "$FIXTURES/$1-$2-$verb.txt" "$FAKE_DIR/help/$1-$verb.txt"
  done
}

# advertise NAME VERB FLAG...: a help text of our own making, in the shape of that runtime.
advertise() {
  local name=$1 verb=$2 flag
  shift 2
  {
    echo "USAGE: $name $verb [options] ID"
    echo
    for flag in "$@"; do
      if [ "$name" = runsc ]; then printf '  -%s string\n    \tsays what %s does\n' "$flag" "$flag"; else printf '   --%s value   says what %s does\n' "$flag" "$flag"; fi
    done
  } >"$FAKE_DIR/help/$name-$verb.txt"
}

# do_at VERB WHEN WHAT [TEXT]: how the fake misbehaves from now on (see fake-runtime.c).
do_at() {
  local verb=$1
  shift
  echo "$*" >>"$FAKE_DIR/do/$verb"
}
behave() { rm -f "$FAKE_DIR/do/"* "$FAKE_DIR/at/"* "$FAKE_DIR/go/"*; }
open_gate() { : >"$FAKE_DIR/go/$1"; }
# True when the fake waits there; it has written its pid.
at_gate() { [ -s "$FAKE_DIR/at/$1" ]; }
fake_gone() { gone "$(cat "$FAKE_DIR/at/$1")"; }

# Kills the containers that are left and waits for the monitors, which must not outlive a test.
leave_place() {
  local file pid mounted
  for mounted in "${MOUNTS[@]}"; do umount -l "$mounted" || true; done
  if [ -n "$BACKGROUND" ]; then kill -KILL "$BACKGROUND" 2>/dev/null || true; fi
  if [ -e "$FAKE_DIR/pids" ]; then
    while read -r pid; do
      case $(readlink "/proc/$pid/exe") in */fake-runtime*) kill -KILL "$pid" || true ;; esac
    done <"$FAKE_DIR/pids"
  fi
  for file in "$FAKE_DIR"/at/*; do
    pid=$(cat "$file" 2>/dev/null) || continue
    case $(readlink "/proc/$pid/exe") in */fake-runtime*) kill -KILL "$pid" || true ;; esac
  done
  for pid in $(monitors); do await gone "$pid"; done
}

monitors() { find "$CKPT_STATE_DIR" -name record.json -exec jq -r '.monitor | select(. > 0)' {} + 2>/dev/null || true; }
gone() { [[ $(cat "/proc/$1/stat" 2>/dev/null) != *") "[!Z]* ]]; }

# A file system of SIZE at DIRECTORY; and DIRECTORY made read-only.
mount_small() {
  mkdir -p "$2"
  mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2"
  MOUNTS+=("$2")
}
mount_read_only() {
  mount --bind "$1" "$1"
  MOUNTS+=("$1")
  mount -o remount,ro,bind "$1"
}

# ---- running ckpt

# In a cgroup namespace of its own, so that the processes of the tests are not taken for the container's.
ckpt() { unshare --cgroup -- "$CKPT" "$@" </dev/null 3>&-; }

# go ARGS...: runs ckpt; $status, $output (stdout), $stderr.
go() { run --separate-stderr ckpt "$@"; }

# without PROGRAM... -- COMMAND...: runs it where these programs, real ones included, are not installed.
without() {
  local -a programs=()
  while [ "$1" != -- ]; do programs+=("$1") && shift; done
  shift
  # shellcheck disable=SC2016
  PROGRAMS="${programs[*]}" unshare --mount --cgroup -- bash -c '
    for program in $PROGRAMS; do
      for directory in ${PATH//:/ } /usr/local/sbin /usr/sbin /sbin; do
        if [ -e "$directory/$program" ]; then mount --bind /dev/null "$directory/$program"; fi
      done
    done
    exec "$@"' _ "$@" </dev/null 3>&-
}

# start ARGS...: runs ckpt in the background; $BACKGROUND is its pid, stop_background its end.
start() {
  unshare --cgroup -- "$CKPT" "$@" </dev/null >"$T/out" 2>"$T/err" 3>&- &
  BACKGROUND=$!
}
# Sets $status, $output and $stderr of the one in the background.
finish() {
  status=0
  wait "$BACKGROUND" || status=$?
  BACKGROUND=
  output=$(cat "$T/out")
  stderr=$(cat "$T/err")
}

# await COMMAND...: until it succeeds, at most 20 seconds.
await() {
  local until=$((SECONDS + 20))
  until "$@"; do
    if [ "$SECONDS" -gt "$until" ]; then
      echo "waited in vain for: $*" >&2
      return 1
    fi
    read -r -t 0.02 <><(:) || true
  done
}

# A container on RUNTIME (default: $runtime).
# What the container says first comes into its log a moment after it was started.
run_container() {
  local id=$1
  shift
  ckpt --runtime "${runtime:-runc}" "$@" run -d -b "$BUNDLE" "$id" >/dev/null
  await logs_have_begun
}
logs_have_begun() { [ -z "$(find "$STORE/logs" -type f -empty 2>/dev/null)" ]; }
# A complete checkpoint; the container goes on.
take_checkpoint() { ckpt checkpoint --leave-running "$1"; }

# ---- assertions

# What stands on both sides must be the same.
same() {
  if [ "$1" = "$2" ]; then return 0; fi
  diff --label expected --label actual <(echo "$1") <(echo "$2") >&2
  return 1
}

ends() {
  if [ "$status" -eq "$1" ]; then return 0; fi
  printf 'status %s, expected %s\nstdout: %s\nstderr: %s\n' "$status" "$1" "$output" "$stderr" >&2
  return 1
}

holds() {
  case $1 in *"$2"*) return 0 ;; esac
  printf 'expected: ...%s...\nactual:      %s\n' "$2" "$1" >&2
  return 1
}

# Nothing on stdout, but for what a container wrote that was attached and ran already.
silent() { [ "$output" = "hello from the container" ] || same "" "$output"; }

# One line for people on stderr, in lower case, that says TEXT...; nothing on stdout.
says() {
  local text
  silent
  same 1 "$(printf '%s\n' "$stderr" | wc -l)"
  if [[ ! $stderr =~ ^ckpt:\ ([^A-Z]|ID\ ) ]]; then
    echo "not a lower-case message of ckpt's: $stderr" >&2
    return 1
  fi
  for text in "$@"; do holds "$stderr" "$text"; done
}

# One JSON object on stderr with this code; nothing on stdout.
says_json() {
  silent
  same 1 "$(printf '%s\n' "$stderr" | wc -l)"
  same "$1" "$(jq -r .error.code <<<"$stderr")"
  same "code message hint runtime command log cause" "$(jq -r '.error | ["code","message","hint","runtime","command","log","cause"] - (["code","message","hint","runtime","command","log","cause"] - keys) | join(" ")' <<<"$stderr")"
}

# Everything that ckpt could have left or changed, but for what it remembers of programs, kept logs of failures, and
# what containers wrote.
tree() {
  find "$ROOT" "$STORE" "$CKPT_STATE_DIR" "$BUNDLE" "$T/away" \
    \( -path "$CKPT_STATE_DIR/probe" -o -path "$CKPT_STATE_DIR/failed" \) -prune -o \
    ! -path "$CKPT_STATE_DIR/locks" ! -path "$CKPT_STATE_DIR/tmp" ! -path "$CKPT_STATE_DIR/containers" \
    ! \( -type d -path "$CKPT_STATE_DIR/locks/*" \) ! \( -type d -path "$STORE/*" -empty \) ! -path "$STORE/checkpoints" \
    ! -path "$STORE/logs" ! \( -path "$STORE/logs/*" ! -empty \) -printf '%P %y %m ' \( -type f -exec sh -c 'cksum <"$1"' _ {} \; -o -printf '\n' \) | sort
}

# refuses STATUS CODE TEXT... -- ARGS...: ckpt fails so, in words and in JSON, and leaves nothing.
refuses() {
  local expected=$1 code=$2 before after
  local -a texts=()
  shift 2
  while [ "$1" != -- ]; do texts+=("$1") && shift; done
  shift
  before=$(tree)
  go "$@"
  ends "$expected"
  says "${texts[@]}"
  after=$(tree)
  same "$before" "$after"
  go --json "$@"
  ends "$expected"
  says_json "$code"
  after=$(tree)
  same "$before" "$after"
}

# Neither lock nor scratch directory nor staged image.
nothing_left() {
  same "" "$(find "$CKPT_STATE_DIR/locks" "$CKPT_STATE_DIR/tmp" -mindepth 1 ! -type d 2>/dev/null)"
  same "" "$(find "$CKPT_STATE_DIR/tmp" -mindepth 1 2>/dev/null)"
  same "" "$(find "$STORE" -name '.*' -mindepth 1 2>/dev/null)"
}
no_record() { same "" "$(find "$CKPT_STATE_DIR/containers" -mindepth 1 2>/dev/null)"; }
no_image() { same "" "$(find "$STORE" -name ckpt.json 2>/dev/null)"; }

is_now() { same "$2" "$(ckpt state "$1" | jq -r .status)"; }

# ---- the record

forget_calls() { : >"$FAKE_RECORD"; }
# Names of the verbs that were called, in order, without those that only ask for help and versions.
verbs() {
  calls | jq -r 'map(select(test("^(create|start|pause|resume|kill|delete|state|list|ps|exec|wait|checkpoint|restore)$")))[0]' |
    paste -sd' '
}
# Every call but those for help and versions, with what differs from run to run written the same.
calls() {
  jq -c 'select((.[1:] | index("--help") == null) and .[-1] != "--version" and .[1] != "help" and .[1] != "flags")' "$FAKE_RECORD" |
    sed -E -e "s|$T/|T/|g" -e 's/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}/STAMP/g' -e 's|/(runc\|crun\|runsc)-[0-9a-f]{8}/|/HASH/|g' \
      -e 's|/tmp/[0-9a-f]{12}|/tmp/X|g'
}
