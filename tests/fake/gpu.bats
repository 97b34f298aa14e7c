#!/usr/bin/env bats
# Containers that use GPUs: what they are given, what their runtimes are told, and the ways to freeze and to refuse, with
# a fake cuda-checkpoint, a fake NVML and runtimes that are fakes. That dumps work with it: tests/real/gpu.bats.
# shellcheck disable=SC2154  # bats sets stderr

load helpers

setup_file() {
  export FAKE_TOOL=$BATS_FILE_TMPDIR/tool/cuda-checkpoint FAKE_NVML_DIR=$BATS_FILE_TMPDIR/nvml
  mkdir "$BATS_FILE_TMPDIR/tool" "$FAKE_NVML_DIR"
  "${CC:-cc}" -O1 -Wall -Wextra -Werror -o "$FAKE_TOOL" "$BATS_TEST_DIRNAME/../gpu/fake-cuda-checkpoint.c"
  "${CC:-cc}" -shared -fPIC -Wall -Wextra -Werror -o "$FAKE_NVML_DIR/libnvidia-ml.so.1" "$BATS_TEST_DIRNAME/fake-nvml.c"
}
setup() {
  make_place
  export FAKE_CUDA_DIR=$T/cuda CDI=$T/cdi CRIU_LIBS_DIR=$T/criu-libs
  mkdir "$FAKE_CUDA_DIR" "$CDI" "$CRIU_LIBS_DIR"
  ln -s "$FAKE_TOOL" "$T/bin/cuda-checkpoint"
}
teardown() { leave_place; }

# ---- what there is

# The spec of the bundle, changed by a jq expression.
change() {
  jq "$1" "$BUNDLE/config.json" >"$T/changed"
  mv "$T/changed" "$BUNDLE/config.json"
}
give_device() { change '.linux.devices = [{path: "/dev/nvidia0", type: "c", major: 195, minor: 0}]'; }
# Containers hold this device of theirs from their start on.
hold_device() {
  give_device
  printf '/dev/nvidia0\n/dev/nvidiactl\n' >"$FAKE_DIR/holds"
}
# The fake sandbox would show the host's processes.
holds_nothing_inside() { do_at exec instead quit; }
give_nvml() { export LD_LIBRARY_PATH=$FAKE_NVML_DIR; }
give_plugin() { : >"$CRIU_LIBS_DIR/cuda_plugin.so"; }

give_cdi() {
  : >"$T/libcuda"
  cat >"$CDI/nvidia.json" <<JSON
{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
 "devices": [
   {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "type": "c", "major": 195, "minor": 0}]}},
   {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia1", "type": "c", "major": 195, "minor": 1}]}}],
 "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"],
   "mounts": [{"hostPath": "$T/libcuda", "containerPath": "/usr/lib/libcuda.so.1", "options": ["ro", "nosuid", "bind"]}]}}
JSON
}
give_yaml_cdi() {
  : >"$T/libcuda"
  cat >"$CDI/nvidia.yaml" <<YAML
cdiVersion: "0.6.0"
kind: nvidia.com/gpu
devices:
  - name: "0"
    containerEdits: {deviceNodes: [{path: /dev/nvidia0, type: c, major: 195, minor: 0}]}
  - name: "1"
    containerEdits: {deviceNodes: [{path: /dev/nvidia1, type: c, major: 195, minor: 1}]}
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  mounts:
    - {hostPath: $T/libcuda, containerPath: /usr/lib/libcuda.so.1, options: [ro, nosuid, bind]}
YAML
}

# The configuration that the runtime got.
config() { jq -c "$2" "$CKPT_STATE_DIR"/containers/*/"$1"/bundle/config.json; }
record_of() { jq -c "$2" "$CKPT_STATE_DIR"/containers/*/"$1"/record.json; }
pid_of() { ckpt state "$1" | jq .pid; }
# with_nvproxy VERB: how often it was called so, and how often in all
with_nvproxy() { calls | jq -r --arg verb "$1" 'select(index($verb) != null) | if index("--nvproxy=true") then "yes" else "no" end' | sort -u | paste -sd' '; }

# ---- giving GPUs

gives_devices() {
  local kind before
  before=$(cksum <"$BUNDLE/config.json")
  for kind in runc crun runsc; do
    ckpt --runtime "$kind" run -d -b "$BUNDLE" --cdi-spec-dir "$CDI" --device nvidia.com/gpu=1 "$kind" >/dev/null
    same '["/dev/nvidia1"]' "$(config "$kind" '[.linux.devices[].path]')"
    same '["NVIDIA_VISIBLE_DEVICES=void"]' "$(config "$kind" .process.env)"
    same "{\"destination\":\"/usr/lib/libcuda.so.1\",\"options\":[\"ro\",\"nosuid\",\"bind\"],\"source\":\"$T/libcuda\",\"type\":\"bind\"}" \
      "$(config "$kind" '.mounts[] | select(.destination == "/usr/lib/libcuda.so.1")' | jq -Sc .)"
  done
  same "$before" "$(cksum <"$BUNDLE/config.json")"
}
@test "devices by their CDI names, from JSON" { give_cdi && gives_devices; }
@test "devices by their CDI names, from YAML" { give_yaml_cdi && gives_devices; }

@test "all devices" {
  give_cdi
  ckpt run -d -b "$BUNDLE" --cdi-spec-dir "$CDI" --device nvidia.com/gpu=all c >/dev/null
  same '["/dev/nvidia0","/dev/nvidia1"]' "$(config c '[.linux.devices[].path]')"
}
@test "a device that is not there: those that are, and nothing is done" {
  give_cdi
  refuses 4 not-found "nvidia.com/gpu=7" "nvidia.com/gpu=0" "nvidia.com/gpu=1" -- \
    run -d -b "$BUNDLE" --cdi-spec-dir "$CDI" --device nvidia.com/gpu=7 c
  refuses 4 not-found "nvidia.com/gpu=0" -- run -d -b "$BUNDLE" --cdi-spec-dir "$T/none" --device nvidia.com/gpu=0 c
  refuses 2 usage "gpu" -- run -d -b "$BUNDLE" --cdi-spec-dir "$CDI" --device gpu c
  same "" "$(calls)"
}

@test "cuda-checkpoint and the finder are mounted read-only, once, and only where GPUs are used" {
  run_container plain
  same null "$(config plain .mounts)"
  give_device
  change '.mounts = [{destination: "/proc", type: "proc", source: "proc"}]'
  local kind
  for kind in runc crun runsc; do
    runtime=$kind run_container "$kind"
    same '["/proc","/usr/local/bin/ckpt-cuda-finder","/usr/local/bin/cuda-checkpoint"]' "$(config "$kind" '[.mounts[].destination] | sort')"
    same "{\"destination\":\"/usr/local/bin/cuda-checkpoint\",\"options\":[\"bind\",\"ro\",\"nosuid\",\"nodev\"],\"source\":\"$T/bin/cuda-checkpoint\",\"type\":\"bind\"}" \
      "$(config "$kind" '.mounts[] | select(.destination == "/usr/local/bin/cuda-checkpoint")' | jq -Sc .)"
  done
  change '.mounts += [{destination: "/usr/local/bin/cuda-checkpoint", type: "bind", source: "/bin/true", options: ["bind", "ro"]}]'
  run_container own
  same '["/bin/true"]' "$(config own '[.mounts[] | select(.destination == "/usr/local/bin/cuda-checkpoint") | .source]')"
}
@test "the cuda-checkpoint that the user names, by a path of any kind" {
  give_device
  cp "$FAKE_TOOL" "$T/away/mine"
  ckpt --cuda-checkpoint ./mine run -d -b "$BUNDLE" c >/dev/null
  same "\"$T/away/mine\"" "$(config c '.mounts[] | select(.destination == "/usr/local/bin/cuda-checkpoint") | .source')"
  refuses 3 unsupported "--cuda-checkpoint names './none'" -- --cuda-checkpoint ./none run -d -b "$BUNDLE" d
}
@test "list: the GPUs of each" {
  give_cdi
  run_container plain
  ckpt run -d -b "$BUNDLE" --cdi-spec-dir "$CDI" --device nvidia.com/gpu=all c >/dev/null
  go --json list
  ends 0
  same '["/dev/nvidia0","/dev/nvidia1"]' "$(jq -c '.[] | select(.id == "c") | .gpu' <<<"$output")"
  same '[]' "$(jq -c '.[] | select(.id == "plain") | .gpu' <<<"$output")"
  runc --root "$ROOT" create --bundle "$BUNDLE" --pid-file "$T/pid" theirs </dev/null
  go --json list
  same null "$(jq -c '.[] | select(.id == "theirs") | .gpu' <<<"$output")"
}

# ---- nvproxy

@test "runsc: --nvproxy=true for a container with GPUs, with every verb, and after a restore" {
  local verb
  give_device
  holds_nothing_inside
  runtime=runsc run_container c
  ckpt kill c HUP
  await stopped c
  ckpt delete c
  for verb in create start state kill delete; do same "$verb yes" "$verb $(with_nvproxy "$verb")"; done
  runtime=runsc run_container c
  ckpt checkpoint c
  forget_calls
  ckpt restore -d c
  ckpt list >/dev/null
  ckpt kill c HUP
  for verb in restore kill; do same "$verb yes" "$verb $(with_nvproxy "$verb")"; done
  same true "$(record_of c .nvproxy)"
}
stopped() { [ "$(ckpt state "$1" | jq -r .status)" = stopped ]; }

@test "no --nvproxy without GPUs, for other runtimes, or when the user said" {
  local kind
  runtime=runsc run_container plain
  give_device
  for kind in runc crun; do runtime=$kind run_container "$kind"; done
  runtime=runsc run_container said --runtime-arg=--nvproxy=false
  same "no" "$(with_nvproxy create)"
  runtime=runsc run_container dash --runtime-arg=-nvproxy
  same "no" "$(with_nvproxy create)"
  forget_calls
  runtime=runsc run_container version --runtime-arg=--nvproxy-driver-version=550.54.14
  same "yes" "$(with_nvproxy create)"
}
@test "the documents' vectors with --nvproxy" {
  give_device
  go --dry-run --runtime runsc --platform systrap run -d -b "$BUNDLE" c
  ends 0
  same "$T/bin/runsc --root $ROOT --platform systrap --nvproxy=true create --bundle B --pid-file P c
$T/bin/runsc --root $ROOT --platform systrap --nvproxy=true start c" "$(plan "$output")"
  holds_nothing_inside
  runtime=runsc run_container c
  ckpt checkpoint --image-path "$T/i" c
  go --dry-run restore -d --image-path "$T/i" --bundle "$BUNDLE" c
  ends 0
  same "$T/bin/runsc --root $ROOT --nvproxy=true restore --image-path $T/i --detach --pid-file P --bundle B c" "$(plan "$output")"
}
plan() { sed -E -e 's| --log [^ ]* --log-format json||' -e 's|--pid-file [^ ]*|--pid-file P|' -e 's|--bundle [^ ]*|--bundle B|' <<<"$1"; }

@test "a runsc without --nvproxy cannot have GPUs" {
  sed -i '/^  -nvproxy/d' "$FAKE_DIR/help/runsc-global.txt"
  runtime=runsc run_container plain
  give_device
  refuses 3 unsupported "this runsc has no --nvproxy" "use a newer runsc" -- --runtime runsc run -d -b "$BUNDLE" c
}

# ---- freezing by CRIU's plugin

@test "plugin: the dump stops the container itself, with time for the GPU and cuda-checkpoint in its PATH" {
  give_plugin
  hold_device
  local kind
  for kind in runc crun; do
    runtime=$kind run_container "$kind"
    forget_calls
    go --json checkpoint --cuda-timeout 30s "$kind"
    ends 0
    same plugin "$(jq -r .gpu.strategy <<<"$output")"
    same stopped-by-dump "$(jq -r .guarantee "$STORE/checkpoints/$kind"/*/ckpt.json)"
    same '{"strategy":"plugin","pids":[1],"devices":["/dev/nvidia0","/dev/nvidiactl"]}' \
      "$(jq -c '.gpu | {strategy, pids: [.processes[].pid], devices: .processes[0].devices}' "$STORE/checkpoints/$kind"/*/ckpt.json)"
    same "" "$(calls | grep -E '"(pause|delete)"' || true)"
    same "timeout 40" "$(cat "$FAKE_DIR/criu.conf")"
    holds "$(cat "$FAKE_DIR/path")" "$T/bin:"
    [[ $(cat "$FAKE_DIR/path") == "$T/bin:"* ]]
    same "" "$(grep -v get-state "$FAKE_CUDA_DIR/calls" || true)"
    ckpt restore -d "$kind"
    [[ $(cat "$FAKE_DIR/path") == "$T/bin:"* ]]
  done
}
@test "plugin: a restore whose plugin failed is a failure with CRIU's line" {
  local line='(00.123) Error (cuda_plugin.c:500): cuda_plugin: RESUME_DEVICES RESTORE failed with out of memory'
  give_plugin
  hold_device
  run_container c
  ckpt checkpoint c
  printf '(00.1) cuda_plugin: initialized: cuda_plugin stage 2\n%s\n(00.2) done\n' "$line" >"$FAKE_DIR/restore.log"
  echo checkpointed >"$FAKE_CUDA_DIR/1.state"
  go --json restore -d c
  ends 6
  says_json gpu-failed
  same "$line" "$(jq -r .error.cause <<<"$stderr")"
  holds "$stderr" "pid $(sed -n 's/^begin get-state 1: --get-state --pid //p' "$FAKE_CUDA_DIR/calls" | tail -n 1) is checkpointed"
  holds "$stderr" "the container was removed again"
  holds "$(cat "$(jq -r .error.log <<<"$stderr")")" "$line"
  same '[]' "$(ckpt --json list | jq -c .)"
  rm "$FAKE_DIR/restore.log" "$FAKE_CUDA_DIR/1.state"
  ckpt restore -d c
  is_now c running
}
@test "plugin: refused with a cuda-checkpoint that it could not use" {
  hold_device
  run_container c
  refuses 3 unsupported "$CRIU_LIBS_DIR/cuda_plugin.so' is not there" -- checkpoint --cuda plugin c
  give_plugin
  echo "--toggle --pid PID" >"$FAKE_CUDA_DIR/help"
  refuses 3 unsupported "no --action" -- checkpoint --cuda plugin c
  echo "broken" >"$FAKE_CUDA_DIR/help"
  refuses 3 unsupported "Insufficient driver" -- checkpoint c
  is_now c running
}

# ---- freezing by ckpt

@test "manual: golden vectors of the whole" {
  local pid
  hold_device
  run_container c
  pid=$(pid_of c)
  go --dry-run checkpoint --leave-running c
  ends 0
  # shellcheck disable=SC2001
  same "$T/bin/cuda-checkpoint --action lock --pid $pid --timeout 10000
$T/bin/cuda-checkpoint --action checkpoint --pid $pid
checkpoint
$T/bin/cuda-checkpoint --action restore --pid $pid
$T/bin/cuda-checkpoint --action unlock --pid $pid" "$(sed 's/.* checkpoint --image-path .*/checkpoint/' <<<"$output")"
  : >"$FAKE_CUDA_DIR/calls"
  ckpt checkpoint --leave-running c
  same "lock checkpoint restore unlock" "$(sed -n 's/^begin \([a-z]*\) 1:.*/\1/p' "$FAKE_CUDA_DIR/calls" | grep -v get | paste -sd' ')"
}
@test "a signal while the GPU is being frozen: all run on" {
  hold_device
  run_container c
  echo 300 >"$FAKE_CUDA_DIR/delay"
  start checkpoint c
  await in_calls lock
  kill -INT "$BACKGROUND"
  finish
  ends 130
  same running "$(cat "$FAKE_CUDA_DIR/1.state")"
  is_now c running
  no_image
  nothing_left
}
@test "a cuda-checkpoint that is killed while it works: all run on" {
  hold_device
  run_container c
  : >"$FAKE_CUDA_DIR/hang-checkpoint-1"
  start checkpoint c
  await in_calls checkpoint
  kill -KILL "$(pgrep -f "^$T/bin/cuda-checkpoint --action checkpoint --pid $(pid_of c)")"
  finish
  ends 6
  says "checkpoint of pid" "was killed by SIGKILL" "all 1 processes run on"
  same running "$(cat "$FAKE_CUDA_DIR/1.state")"
  is_now c running
  no_image
}
in_calls() { grep -q "^begin $1 " "$FAKE_CUDA_DIR/calls" 2>/dev/null; }
@test "a state that cuda-checkpoint cannot tell, or of no known name, is refused" {
  hold_device
  run_container c
  echo restoring >"$FAKE_CUDA_DIR/1.state"
  refuses 5 conflict "in a state that cannot be frozen" -- checkpoint c
  echo locked >"$FAKE_CUDA_DIR/1.state"
  refuses 5 conflict "locked already" "gpu-thaw" -- checkpoint c
  is_now c running
}
@test "a paused container cannot be frozen" {
  hold_device
  run_container c
  runc --root "$ROOT" pause c
  refuses 5 conflict "is paused" "--cuda off" -- checkpoint c
  ckpt checkpoint --cuda off --leave-running c
}

# ---- gpu-thaw, and what a ckpt that was killed left

@test "gpu-thaw: what is frozen runs again; what cannot be told is an error, not silence" {
  hold_device
  run_container c
  go gpu-thaw c
  ends 0
  same "" "$output"
  echo checkpointed >"$FAKE_CUDA_DIR/1.state"
  go --json gpu-thaw c
  ends 0
  same "[$(pid_of c)]" "$(jq -c .thawed <<<"$output")"
  same '["restore","unlock"]' "$(jq -c '[.steps[].action]' <<<"$output")"
  same running "$(cat "$FAKE_CUDA_DIR/1.state")"
  echo checkpointed >"$FAKE_CUDA_DIR/1.state"
  echo 'out of memory' >"$FAKE_CUDA_DIR/fail-restore-1"
  refuses 6 gpu-failed "restore of pid" "out of memory" "is checkpointed" -- gpu-thaw c
  # shellcheck disable=SC2016
  printf '#!/bin/sh\n[ "$1" = -h ] && exec "%s" -h\nexit 255\n' "$FAKE_TOOL" >"$T/away/half"
  chmod +x "$T/away/half"
  refuses 6 gpu-failed "cannot tell the state of pid" -- --cuda-checkpoint ./half gpu-thaw c
  refuses 6 gpu-failed "cannot tell the state of pid" -- --cuda-checkpoint ./half checkpoint c
  is_now c running
}
thawed() { [ "$(cat "$FAKE_CUDA_DIR/1.state")" = running ] && [ -z "$(find "$CKPT_STATE_DIR" -name c.lock)" ]; }
@test "a restore that was killed before it thawed: its guard does, with no further command" {
  hold_device
  run_container c
  ckpt checkpoint c
  same checkpointed "$(cat "$FAKE_CUDA_DIR/1.state")"
  : >"$FAKE_CUDA_DIR/hang-restore-1"
  start restore -d c
  await in_calls restore
  rm "$FAKE_CUDA_DIR/hang-restore-1"
  hanging=$(pgrep -f "^$T/bin/cuda-checkpoint --action restore --pid $(pid_of c)")
  same checkpointed "$(cat "$FAKE_CUDA_DIR/1.state")"
  kill -KILL "$BACKGROUND" "$hanging"
  finish
  await thawed
  go checkpoint --leave-running c
  ends 0
  same "" "$stderr"
}
@test "a note that is none of ckpt's does not stop the next one" {
  local note lock
  run_container c
  ckpt checkpoint --leave-running c
  lock=$(echo "$CKPT_STATE_DIR"/locks/*)/c.lock
  [ ! -e "$lock" ]
  for note in '{"verb":"checkpoint","pid":1,"since":"x","paused":7}' '{"cuda":"yes","paused":null}' '{"scratch":[1],"staging":{}}'; do
    echo "$note" >"$lock"
    go checkpoint --leave-running c
    ends 0
  done
}
@test "a name of odd bytes does not spoil the checkpoint" {
  hold_device
  printf 'a\377b' >"$FAKE_DIR/comm"
  run_container c
  go --json checkpoint --leave-running c
  ends 0
  same "a�b" "$(jq -r '.gpu.processes[0].comm' "$STORE"/checkpoints/c/*/ckpt.json)"
}

# ---- room, and other GPUs

@test "GPU memory that does not fit into the host's" {
  give_nvml
  hold_device
  run_container c
  FAKE_NVML_PROCESS="$(pid_of c) 9000000000000000" refuses 5 conflict "its 9000000.0 GB of GPU memory" "are free for it" -- checkpoint c
  FAKE_NVML_PROCESS="$(pid_of c) 1000000" go --json checkpoint --leave-running c
  ends 0
  same 1000000 "$(jq .gpu.bytes "$STORE"/checkpoints/c/*/ckpt.json)"
}
@test "a host whose GPUs cannot take the image" {
  give_nvml
  hold_device
  run_container c
  FAKE_NVML_PROCESS="$(pid_of c) 1000000" ckpt checkpoint c
  same '["NVIDIA H100 80GB HBM3","NVIDIA T4"]' "$(jq -c '[.gpu.gpus[].name]' "$STORE"/checkpoints/c/*/ckpt.json)"
  FAKE_NVML=none refuses 11 host-incompatible "this host has no GPU" -- restore -d c
  FAKE_NVML_DRIVER=560.35 refuses 11 host-incompatible "the driver is 560.35, older than the checkpoint's 570.86.15" -- restore -d c
  FAKE_NVML_USED=85899345920 refuses 11 host-incompatible "0.0 GB of GPU memory are free" -- restore -d c
  echo running >"$FAKE_CUDA_DIR/1.state"
  FAKE_NVML_PROCESS="1 0" go restore -d c
  ends 6
  holds "$stderr" "without its GPU memory"
  same '[]' "$(ckpt --json list | jq -c .)"
  FAKE_NVML_PROCESS="0 18446744073709551615" go restore -d c # NVML does not know how much
  ends 0
  ckpt delete --force c
  FAKE_NVML_PROCESS="0 1000000" go restore -d c
  ends 0
}
@test "a restore that could not thaw is refused before the runtime is called" {
  hold_device
  run_container c
  ckpt checkpoint c
  forget_calls
  cp "$CKPT" "$T/ckpt" # away from the cuda-checkpoint that is built beside it
  rm "$T/bin/cuda-checkpoint"
  CKPT=$T/ckpt refuses 3 unsupported "there is no cuda-checkpoint on this host" -- restore -d c
  same "" "$(calls | grep '"restore"' || true)"
}
@test "--gpu-map: what is none, and what cannot use it" {
  give_nvml
  hold_device
  run_container c
  ckpt checkpoint c
  refuses 2 usage "'0' is not OLD=NEW" -- restore -d --gpu-map 0 c
  refuses 2 usage "'2' is no GPU of the checkpoint" -- restore -d --gpu-map 2=0 c
  refuses 2 usage "'GPU-x' is no GPU of this host" -- restore -d --gpu-map 0=GPU-x c
  refuses 2 usage "puts two GPUs onto" -- restore -d --gpu-map 0=1 c
  refuses 11 host-incompatible "'GPU-5' is a 'NVIDIA T4', the checkpoint's was a 'NVIDIA H100 80GB HBM3'" -- restore -d --gpu-map 0=1 --gpu-map 1=0 c
  refuses 3 unsupported "frozen by ckpt itself" -- restore -d --cuda plugin --gpu-map 0=0 c
  echo "--action --pid --get-state" >"$FAKE_CUDA_DIR/help"
  go restore -d --gpu-map 0=0 c
  ends 6
  holds "$stderr" "no --device-map"
  rm "$FAKE_CUDA_DIR/help"
  : >"$FAKE_CUDA_DIR/calls"
  go restore -d --gpu-map 0=0 c
  ends 0
  holds "$(cat "$FAKE_CUDA_DIR/calls")" "--device-map GPU-00000000-1111-2222-3333-444444444444=GPU-00000000-1111-2222-3333-444444444444,GPU-5=GPU-5"
}
