#!/usr/bin/env bats
# The helper programs, cuda-checkpoint against a fake driver and cuda-finder in made-up and real process lists.
# shellcheck disable=SC2154,SC2016  # bats sets stderr; what stands in single quotes is for other shells

load helpers

A=GPU-01234567-89ab-cdef-0123-456789abcdef
B=GPU-fedcba98-7654-3210-fedc-ba9876543210
C=GPU-00000000-0000-0000-0000-0000000000ff
NOBODY=4242 # a pid without CUDA state

setup_file() {
  local program
  for program in helpers/cuda-checkpoint helpers/cuda-finder fake-cuda/new/libcuda.so.1 fake-cuda/old/libcuda.so.1; do
    if [ ! -e "$(dirname -- "$CKPT")/$program" ]; then
      echo "there is no '$program' beside '$CKPT'; build cuda-checkpoint, cuda-finder and fake-libcuda" >&2
      return 1
    fi
  done
}
setup() {
  T=$BATS_TEST_TMPDIR
  BUILD=$(dirname -- "$CKPT")
  HELPERS=$BUILD/helpers
  BACKGROUND=
  export FAKE_CUDA_DIR=$T/cuda
  mkdir "$FAKE_CUDA_DIR"
  use_driver new
  cd "$T" || return 1
}
teardown() {
  if [ -z "$BACKGROUND" ]; then return; fi
  kill -KILL "$BACKGROUND" || true
  wait "$BACKGROUND" || true
}

# ---- the fake

use_driver() { export LD_LIBRARY_PATH=$BUILD/fake-cuda/$1; }

# is STATE PID...: from now on; tell FILE TEXT: how the driver behaves (see fake-libcuda.c).
is() {
  local pid
  for pid in "${@:2}"; do echo "$1" >"$FAKE_CUDA_DIR/state-$pid"; done
}
tell() { echo "$2" >"$FAKE_CUDA_DIR/$1"; }
behave() { rm -f "$FAKE_CUDA_DIR"/{fail,delay,hang,busy}-*; }

states() {
  local pid
  for pid in "$@"; do echo "$pid $(cat "$FAKE_CUDA_DIR/state-$pid")"; done | paste -sd,
}
# What was begun since the last look, in order; with the initialisation only where it is asked for.
begun() {
  sed -n 's/^begin //p' "$FAKE_CUDA_DIR/record" 2>/dev/null | grep -v '^init' | paste -sd,
  rm -f "$FAKE_CUDA_DIR/record"
}
initialisations() { grep -c '^begin init' "$FAKE_CUDA_DIR/record" 2>/dev/null || true; }

# ---- running the helper

cuda() { run --separate-stderr "$HELPERS/cuda-checkpoint" "$@"; }

# does OUTPUT -- ARGS...: it works, prints that and nothing else.
does() {
  cuda "${@:3}"
  ends 0
  same "$1" "$output"
  same "" "$stderr"
}
# refuses STATUS TEXT... -- ARGS...: one line on stderr that says so, nothing on stdout.
refuses() {
  local expected=$1 text
  local -a texts=()
  shift
  while [ "$1" != -- ]; do texts+=("$1") && shift; done
  shift
  run "-$expected" --separate-stderr "$HELPERS/cuda-checkpoint" "$@"
  same "" "$output"
  same 1 "$(wc -l <<<"$stderr")"
  for text in "cuda-checkpoint: " "${texts[@]}"; do holds "$stderr" "$text"; done
}

# ---- the states

@test "each state by its name" {
  is running 1
  is locked 2
  is checkpointed 3
  is failed 4
  does running -- --get-state --pid 1
  does locked -- --get-state --pid 2
  does checkpointed -- --get-state --pid 3
  does failed -- --get-state --pid 4
  is 4 5
  is 5 6
  does checkpointing -- --get-state --pid 5
  does restoring -- --get-state --pid 6
  is 77 7
  refuses 1 "process 7 is in state 77" -- --get-state --pid 7
}
@test "lock, checkpoint, restore, unlock: silent, and each only from its state" {
  local steps=(lock checkpoint restore unlock) from=(running locked checkpointed locked) i state
  is running 7
  for i in 0 1 2 3; do
    same "7 ${from[i]}" "$(states 7)"
    does "" -- --action "${steps[i]}" --pid 7
  done
  does running -- --get-state --pid 7
  for i in 0 1 2 3; do
    for state in running locked checkpointed failed; do
      if [ "$state" = "${from[i]}" ]; then continue; fi
      is "$state" 7
      refuses 1 "cannot ${steps[i]} process 7" "(CUDA_ERROR_ILLEGAL_STATE, 401); it is $state" -- --action "${steps[i]}" --pid 7
      same "7 $state" "$(states 7)"
    done
  done
}
@test "the restore thread" {
  is running 7
  does 7 -- --get-restore-tid --pid 7
  tell tid-7 12
  does 12 -- --get-restore-tid --pid 7
}
@test "spellings: short options and equals signs" {
  is running 7
  does running -- --get-state -p 7
  does running -- --pid=7 --get-state
  does "" -- --action=lock -t 5 -p 7
  does "" -- -p 7 --action checkpoint
  does "" -- --action restore --pid=7 "--device-map=$A=$B"
  does "" -- --pid 7 --action unlock
  same "state 7,state 7,lock 7 timeout=5,checkpoint 7,restore 7 map=$A=$B,unlock 7" "$(begun)"
}
@test "as CRIU's plugin calls it" {
  is running 7
  does 7 -- --get-restore-tid --pid 7
  does running -- --get-state --pid 7
  does "" -- --action lock --pid 7 --timeout 10000
  does "" -- --action checkpoint --pid 7
  does "" -- --action restore --pid 7
  does "" -- --action unlock --pid 7
  same "tid 7,state 7,lock 7 timeout=10000,checkpoint 7,restore 7,unlock 7" "$(begun)"
  refuses 1 "cannot get the restore thread of process $NOBODY" "is it a CUDA process?" -- --get-restore-tid --pid $NOBODY
}
@test "every start initialises CUDA once, the help not at all" {
  is running 1 2 3
  does running -- --get-state --pid 1
  same 1 "$(initialisations)"
  cuda --get-state --pid 1,2,3
  same 2 "$(initialisations)"
  cuda -h
  same 2 "$(initialisations)"
}

# ---- arguments of the actions

@test "the lock's timeout" {
  is running 7
  tell busy-7 200
  refuses 1 "cannot lock process 7: what the driver says (CUDA_ERROR_NOT_READY, 600)" "outlasted the --timeout" \
    -- --action lock --pid 7 --timeout 50
  same "7 running" "$(states 7)"
  does "" -- --action lock --pid 7 --timeout 4294967295
  is running 7
  does "" -- --action lock --pid 7
  is running 7
  does "" -- --action lock --pid 7 --timeout 0
  same "lock 7 timeout=50,lock 7 timeout=4294967295,lock 7 timeout=0,lock 7 timeout=0" "$(begun)"
}
@test "the device map, to the byte and in its order" {
  is checkpointed 7
  does "" -- --action restore --pid 7 --device-map "$A=$B,$B=$A,$C=$C"
  same "restore 7 map=$A=$B,$B=$A,$C=$C" "$(begun)"
  is checkpointed 7
  does "" -- --action restore --pid 7 --device-map "${A/abcdef/ABCDEF}=$C"
  same "restore 7 map=$A=$C" "$(begun)"
}
@test "a device map needs driver 580" {
  is checkpointed 7
  tell version 12080
  refuses 255 "Insufficient driver: this one is for CUDA 12.8" "driver 580" -- --action restore --pid 7 --device-map "$A=$B"
  same "" "$(begun)"
  does "" -- --action restore --pid 7
}

# ---- toggle

@test "toggle goes all the way in both directions" {
  is running 7
  does "" -- --toggle --pid 7
  same "7 checkpointed" "$(states 7)"
  does "" -- --toggle --pid 7
  same "7 running" "$(states 7)"
  same "state 7,lock 7 timeout=0,checkpoint 7,state 7,restore 7,unlock 7" "$(begun)"
}
@test "toggle of what is neither running nor checkpointed" {
  local state
  for state in locked failed; do
    is $state 7
    refuses 1 "cannot toggle process 7: it is $state" "see --action" -- --toggle --pid 7
    same "7 $state" "$(states 7)"
  done
  refuses 1 "cannot get the state of process $NOBODY" -- --toggle --pid $NOBODY
}
@test "toggle lets a process run again that it could not checkpoint" {
  is running 7
  tell fail-checkpoint-7 2
  refuses 1 "cannot checkpoint process 7: what the driver says (CUDA_ERROR_OUT_OF_MEMORY, 2); it runs again" -- --toggle --pid 7
  same "7 running" "$(states 7)"
  same "state 7,lock 7 timeout=0,checkpoint 7,unlock 7" "$(begun)"
  tell fail-unlock-7 801
  refuses 1 "cannot checkpoint process 7" "; cannot unlock process 7" "CUDA_ERROR_NOT_SUPPORTED" -- --toggle --pid 7
  same "7 locked" "$(states 7)"
}
@test "toggle that fails at the other steps" {
  is running 7
  tell fail-lock-7 600
  refuses 1 "cannot lock process 7" -- --toggle --pid 7
  same "7 running" "$(states 7)"
  same "state 7,lock 7 timeout=0" "$(begun)"
  is checkpointed 7
  tell fail-restore-7 2
  refuses 1 "cannot restore process 7" -- --toggle --pid 7
  same "7 checkpointed" "$(states 7)"
  behave
  tell fail-unlock-7 999
  refuses 1 "cannot unlock process 7: CUDA error (no name, 999)" -- --toggle --pid 7
  same "7 locked" "$(states 7)"
}

# ---- several processes

@test "several pids: a line each in the order given, in all spellings" {
  is running 3 1
  is locked 20
  does $'3\trunning\n20\tlocked\n1\trunning' -- --get-state --pid 3,20 -p 1
  tell tid-20 21
  does $'20\t21\n3\t3' -- --get-restore-tid --pid 20 --pid 3
  does $'3\tok\n1\tok' -- --action lock --pid 3 --pid 1 --timeout 9
  does $'1\tok\n3\tok' -- --action checkpoint --pid 1,3
  does $'1\tok\n3\tok' -- --action restore --pid 1,3 --device-map "$A=$B"
  does $'1\tok\n3\tok' -- --action unlock --pid 1,3
  does $'1\tok\n3\tok' -- --toggle --pid 1,3
  same "1 checkpointed,3 checkpointed" "$(states 1 3)"
}
@test "several pids at once: each call begins before the first ends" {
  local step
  is running 1 2 3 4
  for step in lock checkpoint restore unlock state tid; do tell "delay-$step" 300; done
  for step in lock checkpoint restore unlock; do
    rm -f "$FAKE_CUDA_DIR/record"
    does $'1\tok\n2\tok\n3\tok\n4\tok' -- --action $step --pid 1,2,3,4
    same "4 begin,4 end" "$(grep " $step " "$FAKE_CUDA_DIR/record" | cut -d' ' -f1 | uniq -c |
      awk '{print $1, $2}' | paste -sd,)"
  done
}
@test "several pids: one that fails fails the call and keeps nobody from anything" {
  is running 1 3
  is locked 2
  cuda --action lock --pid 1,2,$NOBODY,3
  ends 1
  same "$(printf '%s\t%s\n' 1 ok \
    2 "error: cannot lock process 2: what the driver says (CUDA_ERROR_ILLEGAL_STATE, 401); it is locked" \
    $NOBODY "error: cannot lock process $NOBODY: what the driver says (CUDA_ERROR_NOT_INITIALIZED, 3); is it a CUDA process?" \
    3 ok)" "$output"
  same "cuda-checkpoint: 2 of 4 processes failed" "$stderr"
  same "1 locked,2 locked,3 locked" "$(states 1 2 3)"
}
@test "several pids: what toggle undoes, it undoes for the one" {
  is running 1 2 3
  tell fail-checkpoint-2 801
  cuda --toggle --pid 1,2,3
  ends 1
  same "1 checkpointed,2 running,3 checkpointed" "$(states 1 2 3)"
  holds "$output" $'2\terror: cannot checkpoint process 2'
  holds "$output" "it uses what this driver cannot checkpoint; it runs again"
}
@test "several pids where no thread can be had: one by one" {
  setpriv --reuid 60001 --regid 60001 --clear-groups true || skip "no other user can be had"
  is running 1 2 3
  tell delay-lock 50
  chmod -R a+rwX "$T"
  cp "$HELPERS/cuda-checkpoint" "$BUILD/fake-cuda/new/libcuda.so.1" "$BATS_FILE_TMPDIR/"
  chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR"/*
  run --separate-stderr env ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH="$BATS_FILE_TMPDIR" prlimit --nproc=1 \
    setpriv --reuid 60001 --regid 60001 --clear-groups "$BATS_FILE_TMPDIR/cuda-checkpoint" --action lock --pid 1,2,3
  ends 0
  same $'1\tok\n2\tok\n3\tok' "$output"
  same "begin,end,begin,end,begin,end" "$(grep ' lock ' "$FAKE_CUDA_DIR/record" | cut -d' ' -f1 | paste -sd,)"
}
@test "a hundred processes" {
  local pids
  pids=$(seq -s, 1 100)
  tell state running
  tell delay-checkpoint 20
  cuda --toggle --pid "$pids"
  ends 0
  same 100 "$(grep -c 'ok$' <<<"$output")"
  same 100 "$(grep -l checkpointed "$FAKE_CUDA_DIR"/state-* | wc -l)"
}
@test "several calls at the same time" {
  local i
  tell state running
  for i in 1 2 3 4; do "$HELPERS/cuda-checkpoint" --action lock --pid 7 >"$T/out$i" 2>&1 3>&- & done
  wait
  same 3 "$(cat "$T"/out? | grep -c ILLEGAL_STATE)"
  same "7 locked" "$(states 7)"
}

# ---- failures

@test "every function that fails, with the driver's name for it" {
  local step
  tell state running
  for step in lock checkpoint restore unlock; do
    tell fail-$step 2
    refuses 1 "cannot $step process 7: what the driver says (CUDA_ERROR_OUT_OF_MEMORY, 2)" -- --action $step --pid 7
  done
  tell fail-state 1
  refuses 3 "cannot get the state of process 7" "(CUDA_ERROR_INVALID_VALUE, 1); is it a CUDA process?" -- --get-state --pid 7
  tell fail-state 3
  refuses 3 "cannot get the state of process 7" "(CUDA_ERROR_NOT_INITIALIZED, 3); is it a CUDA process?" -- --get-state --pid 7
  refuses 1 "cannot get the state of process 7" -- --toggle --pid 7
  tell fail-state 999
  refuses 1 "cannot get the state of process 7" -- --get-state --pid 7
  tell fail-tid 801
  refuses 1 "cannot get the restore thread of process 7" "(CUDA_ERROR_NOT_SUPPORTED, 801)" -- --get-restore-tid --pid 7
}
@test "SIGTERM ends it while the driver hangs; what was answered before is there" {
  local step
  is running 1 2
  for step in lock init; do
    rm -f "$FAKE_CUDA_DIR/record"
    if [ $step = lock ]; then tell hang-lock-2 ""; else tell hang-init ""; fi
    is running 1 2
    "$HELPERS/cuda-checkpoint" --action lock --pid 1,2 >"$T/out" 2>"$T/err" 3>&- &
    BACKGROUND=$!
    if [ $step = lock ]; then await grep -q ok "$T/out"; else await grep -q 'begin init' "$FAKE_CUDA_DIR/record"; fi
    kill -TERM "$BACKGROUND"
    finish
    ends 143
    if [ $step = lock ]; then same $'1\tok' "$output"; else same "" "$output"; fi
  done
  same "1 running,2 running" "$(states 1 2)"
}
@test "stdout that takes nothing" {
  is running 7 8
  run --separate-stderr sh -c '"$1" --get-state --pid 7 >/dev/full' _ "$HELPERS/cuda-checkpoint"
  ends 1
  holds "$stderr" "cannot write the answer: no space left on device"
  run --separate-stderr sh -c '"$1" --get-state --pid 7,8 >/dev/full' _ "$HELPERS/cuda-checkpoint"
  ends 1
}

# ---- the driver

@test "the help: only where the driver can do it, and with what CRIU's plugin looks for" {
  cuda -h
  ends 0
  for word in --action --get-restore-tid --get-state --toggle --timeout --device-map; do holds "${output:0:2047}" "$word"; done
  same "" "$stderr"
  same "$output" "$("$HELPERS/cuda-checkpoint" --help)"
  same "" "$(awk 'length > 110' <<<"$output")"
  use_driver old
  refuses 255 "Insufficient driver: 'libcuda.so.1' has no cuCheckpointProcessLock; NVIDIA driver 570 or newer" -- -h
}
@test "no libcuda" {
  unset LD_LIBRARY_PATH
  if ldconfig -p | grep -q 'libcuda\.so\.1'; then skip "this machine has one"; fi
  for args in -h "--get-state --pid 1" "--toggle --pid 1,2"; do
    # shellcheck disable=SC2086
    refuses 127 "cannot load the CUDA driver: libcuda.so.1: " "it comes with NVIDIA's driver" -- $args
  done
}
@test "a libcuda that is none" {
  echo nonsense >"$T/libcuda.so.1"
  LD_LIBRARY_PATH=$T refuses 127 "cannot load the CUDA driver: " "libcuda.so.1: file too short" -- -h
}
@test "a driver from before 570" {
  use_driver old
  refuses 255 "Insufficient driver: " "driver 570 or newer" -- --get-state --pid 7
  refuses 255 "Insufficient driver: " -- --toggle --pid 7,8
}
@test "the library that the toolkit brings for linking" {
  tell fail-version 34
  refuses 255 "Insufficient driver: what the driver says (CUDA_ERROR_STUB_LIBRARY, 34)" -- -h
}
@test "CUDA that cannot be initialised" {
  tell state running
  tell fail-init 803
  refuses 255 "Insufficient driver: what the driver says (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803)" -- --get-state --pid 7
  tell fail-init 100
  refuses 255 "cannot initialise CUDA: what the driver says (CUDA_ERROR_NO_DEVICE, 100); is there a GPU" -- --toggle --pid 7
  unset FAKE_CUDA_DIR
  refuses 255 "(CUDA_ERROR_NO_DEVICE, 100)" -- --action lock --pid 7
}

# ---- wrong use

wrong() { refuses 2 "$1" "see cuda-checkpoint --help" "${@:2}"; }

@test "wrong use: nothing, too much, or not together" {
  wrong "nothing to do" --
  wrong "nothing to do" -- --pid 7
  wrong "no process: give --pid" -- --get-state
  wrong "no process: give --pid" -- --action lock --timeout 5
  wrong "only one of" -- --get-state --toggle --pid 7
  wrong "only one of" -- --action lock --action unlock --pid 7
  wrong "only one of" -- --toggle --toggle --pid 7
  wrong "unknown argument 'lock'" -- lock --pid 7
  wrong "unknown argument '--pids'" -- --pids 7
  wrong "unknown argument '--pi'" -- --pi 7
  wrong "unknown argument '-x'" -- -x
  wrong "unknown argument '-'" -- -
  wrong "unknown argument '--'" -- --get-state --
  wrong "unknown argument ''" -- ""
  wrong "--pid needs a value" -- --get-state --pid
  wrong "--get-state takes no value" -- --get-state=yes --pid 7
  wrong "unknown action 'freeze'; there are lock, checkpoint, restore and unlock" -- --action freeze --pid 7
  wrong "unknown action ''" -- --action "" --pid 7
  same "" "$(begun)"
}
@test "wrong use: pids" {
  local pid
  for pid in 0 -1 x 7x " 7" +7 0x7 2147483648 99999999999999999999 "" "7,," ",7" "7,"; do
    wrong "is not a number from 1 to 2147483647" -- --get-state --pid "$pid"
  done
  wrong "--pid: 7 is given twice" -- --get-state --pid 7,8,7
  wrong "--pid: 7 is given twice" -- --get-state --pid 7 --pid 07
}
@test "wrong use: timeouts" {
  local timeout
  for timeout in -1 x "" 1.5 5s 4294967296; do
    wrong "--timeout: '$timeout' is not a number from 0 to 4294967295" -- --action lock --pid 7 --timeout "$timeout"
  done
  wrong "--timeout is given twice" -- --action lock --pid 7 --timeout 1 --timeout 1
  wrong "--timeout is for --action lock only" -- --action checkpoint --pid 7 --timeout 1
  wrong "--timeout is for --action lock only" -- --toggle --pid 7 --timeout 0
}
@test "wrong use: device maps" {
  local map
  for map in "x=$A" "$A=" "=$A" "${A#GPU-}=$B" "MIG-${A#GPU-}=$B" "${A}0=$B" "${A%f}=$B" "${A%f}g=$B" \
    "${A//-/_}=$B" "$A=$B=$C" "${A/67-8/678-}=$B" "0=1"; do
    wrong "--device-map: '" -- --action restore --pid 7 --device-map "$map"
    holds "$stderr" "is not a UUID such as GPU-"
  done
  for map in "" "$A" "$A=$B," ",$A=$B" "$A=$B,,$B=$A"; do
    wrong "is not OLD=NEW" -- --action restore --pid 7 --device-map "$map"
  done
  wrong "names a GPU that another pair has on the same side" -- --action restore --pid 7 --device-map "$A=$B,$A=$C"
  wrong "names a GPU that another pair has on the same side" -- --action restore --pid 7 --device-map "$A=$B,$C=$B"
  wrong "--device-map is given twice" -- --action restore --pid 7 --device-map "$A=$B" --device-map "$B=$A"
  wrong "--device-map is for --action restore only" -- --toggle --pid 7 --device-map "$A=$B"
}

# ---- what they stand on

@test "cuda-checkpoint asks for nothing that glibc 2.31 has not" {
  local imported
  imported=$(objdump -T "$HELPERS/cuda-checkpoint" | sed -n 's/.*\*UND\*.*(GLIBC_\([0-9.]*\)).*/\1/p' | sort -uV)
  if objdump -T "$HELPERS/cuda-checkpoint" | grep -q __asan; then skip "built with sanitizers"; fi
  [ "$(uname -m)" = x86_64 ] || skip "only on x86-64"
  holds "$imported" 2.2.5
  same 2.31 "$(printf '%s\n' "$imported" 2.31 | sort -V | tail -n 1)"
  same "libc.so.6 libdl.so.2 libpthread.so.0" \
    "$(objdump -p "$HELPERS/cuda-checkpoint" | sed -n 's/^ *NEEDED *//p' | sort | paste -sd' ')"
  same "" "$(objdump -p "$HELPERS/cuda-checkpoint" | grep -E 'TEXTREL|RPATH|RUNPATH|DT_RELR' || true)"
}
@test "cuda-finder asks for nothing" {
  same "" "$(readelf -ld "$HELPERS/cuda-finder" | grep -E 'INTERP|NEEDED' || true)"
}

# ---- cuda-finder

find_in() { run --separate-stderr "$HELPERS/cuda-finder" --proc "$T/proc"; }

# holder PID COMM LINK...: a process in the made-up list.
holder() {
  local pid=$1 comm=$2 fd=3
  mkdir -p "$T/proc/$pid/fd"
  printf '%s\n' "$comm" >"$T/proc/$pid/comm"
  ln -s /dev/null "$T/proc/$pid/fd/0"
  shift 2
  while [ $# -gt 0 ]; do ln -s "$1" "$T/proc/$pid/fd/$fd" && shift && fd=$((fd + 1)); done
}

@test "finder: who holds what, by pid, each device once" {
  holder 300 python /dev/nvidiactl /dev/nvidia0 /dev/nvidia-uvm /dev/nvidia0 /dev/nvidia-caps/nvidia-cap1 /dev/nvidia10
  holder 7 train /dev/nvidia-uvm-tools
  holder 8 shell /dev/null "socket:[12]" /tmp/dev/nvidia0 /dev/nvme0 "anon_inode:[eventpoll]"
  holder 42 "" /dev/nvidia1
  mkdir -p "$T/proc/self" "$T/proc/sys" "$T/proc/07" "$T/proc/7x" "$T/proc/99999999999"
  find_in
  ends 0
  same '{"pid":7,"comm":"train","devices":["/dev/nvidia-uvm-tools"]}
{"pid":42,"comm":"","devices":["/dev/nvidia1"]}
{"pid":300,"comm":"python","devices":["/dev/nvidia-caps/nvidia-cap1","/dev/nvidia-uvm","/dev/nvidia0","/dev/nvidia10","/dev/nvidiactl"]}' "$output"
  same "" "$stderr"
}
@test "finder: nobody, and processes that vanish" {
  mkdir -p "$T/proc/5" "$T/proc/6/fd"
  find_in
  ends 0
  same "" "$output$stderr"
  holder 9 x /dev/nvidia0
  rm "$T/proc/9/comm"
  find_in
  ends 0
  same '{"pid":9,"comm":"","devices":["/dev/nvidia0"]}' "$output"
}
@test "finder: names of any bytes are JSON" {
  holder 1 $'a"b\\c\td\x01\x7f' /dev/nvidia0
  holder 2 $'\xff\xc0\xafx\xe2\x82\xac\xed\xa0\x80\xf0\x9f\x98\x80\xf5\xe2\x82' $'/dev/nvidia\n"0'
  holder 3 $'two\nlines\n' /dev/nvidia0
  find_in
  ends 0
  same 3 "$(wc -l <<<"$output")"
  same $'a"b\\c\td\x01\x7f' "$(jq -r 'select(.pid == 1).comm' <<<"$output")"
  same '???x€???😀???' "$(jq -r 'select(.pid == 2).comm | gsub("\ufffd"; "?")' <<<"$output")"
  same $'"/dev/nvidia\\n\\"0"' "$(jq -c 'select(.pid == 2).devices[0]' <<<"$output")"
  same '"two\nlines\n"' "$(jq -c 'select(.pid == 3).comm' <<<"$output")"
  if command -v python3; then python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin.buffer]' <<<"$output"; fi
}
@test "finder: a process that cannot be read is noted, the others are found" {
  mkdir -p "$T/proc/5"
  echo >"$T/proc/5/fd"
  holder 6 x /dev/nvidia0
  find_in
  ends 0
  same '{"pid":6,"comm":"x","devices":["/dev/nvidia0"]}' "$output"
  same "cuda-finder: cannot read '$T/proc/5/fd': not a directory; it may hold devices" "$stderr"
}
@test "finder: no process list, wrong use, stdout that takes nothing" {
  find_in
  ends 3
  same "cuda-finder: cannot read '$T/proc': no such file or directory" "$stderr"
  for args in --proc "--proc a b" x "--all /proc"; do
    # shellcheck disable=SC2086
    run --separate-stderr "$HELPERS/cuda-finder" $args
    ends 2
    holds "$stderr" "usage: cuda-finder [--proc DIR]"
    same "" "$output"
  done
  run --separate-stderr "$HELPERS/cuda-finder" --help
  ends 0
  holds "$output" "usage: "
  holder 6 x /dev/nvidia0
  run --separate-stderr sh -c '"$1" --proc "$2" >/dev/full' _ "$HELPERS/cuda-finder" "$T/proc"
  ends 1
}
@test "finder: a real process, which holds a device in a mount namespace of its own" {
  unshare -m bash -c 'mount -t tmpfs none /dev && mknod /dev/nvidia0 c 1 3 && mknod /dev/nvidiactl c 1 3 &&
    exec 7</dev/nvidia0 8</dev/nvidiactl 9</dev/nvidia0 && : >"$0" && exec sleep 1000' "$T/ready" </dev/null >/dev/null 3>&- &
  BACKGROUND=$!
  await test -e "$T/ready"
  await grep -q sleep "/proc/$BACKGROUND/comm"
  run --separate-stderr "$HELPERS/cuda-finder"
  ends 0
  same '{"comm":"sleep","devices":["/dev/nvidia0","/dev/nvidiactl"]}' \
    "$(jq -c "select(.pid == $BACKGROUND) | del(.pid)" <<<"$output")"
}
