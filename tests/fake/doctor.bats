#!/usr/bin/env bats
# doctor: programs that are old, missing, mute, hanging or lying; directories; how it is told.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() {
  make_place
  chmod 700 "$STORE" "$CKPT_STATE_DIR"
  criu_says 4.2.1 0 "Looks good."
  fake iptables-restore
  fake ip6tables-restore
}
teardown() { leave_place; }

# fake NAME [LINE...]: a shell script.
fake() {
  local name=$1
  shift
  rm -f "$T/bin/$name"
  printf '%s\n' '#!/bin/sh' "$@" >"$T/bin/$name"
  chmod +x "$T/bin/$name"
}
# criu_says VERSION STATUS TEXT: of its check; the features are all there but mem_dirty_track.
criu_says() {
  fake criu "case \$* in" "--version) echo 'Version: $1' ;;" "*mem_dirty_track) exit 1 ;;" \
    "*timens) echo 'Error (criu/cr-check.c:1): Unknown feature timens' && exit 1 ;;" "*--feature*) ;;" \
    "check) echo '$3' >&2; exit $2 ;;" "esac"
}
# row NAME: "status: found; fix" of that check
row() { jq -r --arg name "$1" '.checks[] | select("\(.area) \(.name)" == $name) | "\(.status): \(.found)" + (if .fix then "; " + .fix else "" end)' <<<"$output"; }
fails() { jq -r '[.checks[] | select(.status == "fails") | "\(.area) \(.name)"] | join(",")' <<<"$output"; }

@test "a host on which nothing fails" {
  go --json doctor
  same "" "$(fails)"
  ends 0
  same "" "$stderr"
  same "ok: 1.3 ('$T/bin/runc')" "$(row 'runtime runc')"
  same "ok: 4.2.1 ('$T/bin/criu')" "$(row 'criu version')"
  same "ok: the kernel has what it needs" "$(row 'criu check')"
  same "warning: no: --pre-copy does not work; boot a kernel with CONFIG_MEM_SOFT_DIRTY for it" "$(row 'criu mem_dirty_track')"
  same "" "$(row 'criu timens')"
  same "area,fix,found,name,status" "$(jq -r '[.checks[] | keys[]] | unique | join(",")' <<<"$output")"
  same 0 "$(jq '[.checks[] | select((.status == "ok") != (.fix == null))] | length' <<<"$output")"
  same 0 "$(jq '[.checks[] | "\(.area) \(.name)"] | length - (unique | length)' <<<"$output")"
}

@test "the same for people, in columns, without colour where no terminal is" {
  go doctor
  ends 0
  holds "$output" "STATUS   AREA"
  [[ $(grep "runtime  crun" <<<"$output") =~ ^ok\ +runtime\ +crun\ +1.28 ]]
  [[ $output != *$'\e'* ]]
}

@test "colour on a terminal, unless NO_COLOR is set" {
  export TERM=xterm
  script -qec "'$CKPT' doctor" /dev/null </dev/null >"$T/tty" 3>&- || true
  grep -q $'^\e\\[32mok\e\\[0m ' "$T/tty"
  NO_COLOR=1 script -qec "'$CKPT' doctor" /dev/null </dev/null >"$T/tty" 3>&- || true
  run ! grep -q $'\e' "$T/tty"
}

@test "programs that hang are given up, all of them at once" {
  fake runc 'sleep 1000'
  fake criu 'sleep 1000'
  SECONDS=0
  go --json --timeout 1s doctor
  [ "$SECONDS" -lt 8 ]
  ends 3
  same "runtime runc,criu version" "$(fails)"
  holds "$(row 'runtime runc')" "'$T/bin/runc --version' did not answer in time"
  same unsupported "$(jq -r .error.code <<<"$stderr")"
  holds "$(jq -r .error.message <<<"$stderr")" "checks fail: runtime runc, criu version"
}

@test "programs that talk nonsense, or nothing, or cannot be started" {
  fake runc 'echo "what do you want?"'
  fake crun 'exit 1'
  printf '\177ELF garbage' >"$T/bin/criu"
  go --json doctor
  ends 3
  same "runtime runc,runtime crun,criu version" "$(fails)"
  same "fails: cannot read a version from '$T/bin/runc --version'; install another runc, or name one with --runtime-path" \
    "$(row 'runtime runc')"
  holds "$(row 'criu version')" "install CRIU 4.2 or newer"
}

@test "programs that are too old, or built without CRIU" {
  fake runc 'case $* in --version) echo "runc version 1.0.0" ;; *) echo "   --image-path value  there" ;; esac'
  fake crun 'case $* in --version) echo "crun version 1.8.1" ;; *) echo "unknown command" >&2; exit 1 ;; esac'
  criu_says 3.17.1 1 'Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds'
  go --json doctor
  ends 3
  same "warning: 1.0.0 ('$T/bin/runc'), older than 1.1, the oldest tested; install runc 1.1 or newer" "$(row 'runtime runc')"
  holds "$(row 'runtime crun')" "1.8.1 ('$T/bin/crun'), without checkpoint; install a crun that is built with CRIU"
  holds "$(row 'criu check')" "fails: Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds"
}

@test "one runtime is enough, unless another one is named" {
  rm "$T/bin/crun" "$T/bin/runsc"
  run --separate-stderr without crun runsc -- "$CKPT" --json doctor
  ends 0
  same "ok: not installed" "$(row 'runtime crun')"
  run --separate-stderr without crun runsc -- "$CKPT" --json --runtime crun doctor
  ends 3
  same "fails: not installed; install it, or name it with --runtime-path" "$(row 'runtime crun')"
  go --json --runtime-path "$T/nothing" doctor
  ends 3
}

@test "nothing is installed: what to do about it" {
  rm -f "$T"/bin/*
  run --separate-stderr without runc crun runsc criu iptables-restore ip6tables-restore -- "$CKPT" --json doctor --fix-hints
  ends 3
  same "runtime any" "$(fails)"
  same 1 "$(jq '.fix_hints | length' <<<"$output")"
  install_runtime runc 1.3
  run --separate-stderr without crun runsc criu iptables-restore ip6tables-restore -- "$CKPT" doctor --fix-hints
  ends 3
  # shellcheck disable=SC1091
  case $(. /etc/os-release && echo "$ID") in debian) same "apt-get install criu iptables" "$output" ;; esac
}

@test "the store: open to others, a file, full, not there" {
  chmod 755 "$STORE"
  go --json doctor
  ends 0
  same "warning: '$STORE' has mode 0755: others may look inside; chmod 700 '$STORE'" "$(row 'store directory')"
  : >"$T/file"
  go --json --store "$T/file" doctor
  ends 3
  same "store directory" "$(fails)"
  mount_small 1m "$T/small"
  go --json --store "$T/small" doctor
  ends 3
  same "store space" "$(fails)"
  go --json --store "$T/none/yet" doctor
  ends 0
  same "ok: '$T/none/yet' is made when it is needed" "$(row 'store directory')"
  [ ! -e "$T/none" ]
}

files() { find "$T" -path "$FAKE_DIR" -prune -o -name 'separate-stderr-*' -o -print | sort; }
@test "nothing is changed" {
  rm -rf "${CKPT_STATE_DIR:?}"
  before=$(files)
  go doctor
  ends 0
  same "$before" "$(files)"
}
