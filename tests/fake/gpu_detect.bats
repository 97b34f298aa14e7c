#!/usr/bin/env bats
# gpu-detect: hosts without and with a GPU (a fake NVML), containers that use GPUs and that do not, and odd input.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# A library that looks like NVIDIA's, where the loader finds it.
give_gpus() {
  mkdir -p "$T/nvml"
  "${CC:-cc}" -shared -fPIC -Wall -Wextra -Werror -o "$T/nvml/libnvidia-ml.so.1" "$BATS_TEST_DIRNAME/fake-nvml.c"
  export LD_LIBRARY_PATH=$T/nvml
}
# A cuda-checkpoint that advertises OPTION...
give_utility() {
  printf '#!/bin/sh\necho "%s"\n' "$*" >"$T/bin/cuda-checkpoint"
  chmod +x "$T/bin/cuda-checkpoint"
}
# The spec of the bundle, changed by a jq expression.
change() {
  jq "$1" "$BUNDLE/config.json" >"$T/changed"
  mv "$T/changed" "$BUNDLE/config.json"
}

@test "a host without a GPU says so, and why, with status 4" {
  [ ! -e /proc/driver/nvidia ] || skip "this machine has one"
  go gpu-detect
  ends 4
  holds "$output" "driver           none"
  holds "$output" "runsc    toggle      no  no NVIDIA driver is loaded; install NVIDIA's driver 550 or newer"
  holds "$stderr" "ckpt: this host has no NVIDIA GPU that can be used: no driver is loaded; 'nvidia-smi' must work first"
  go --json gpu-detect
  ends 4
  same '{"gpus":[],"driver":null,"nvml":false,"container":null}' "$(jq -c '{gpus,driver,nvml,container}' <<<"$output")"
  same 15 "$(jq '.capabilities | length' <<<"$output")"
  same false "$(jq 'any(.capabilities[]; .ok)' <<<"$output")"
  same not-found "$(jq -r .error.code <<<"$stderr")"
}

@test "GPUs as NVML tells them" {
  give_gpus
  give_utility --toggle --action --timeout
  go gpu-detect
  ends 0
  same "" "$stderr"
  holds "$output" "0    NVIDIA H100 80GB HBM3  GPU-00000000-1111-2222-3333-444444444444  81920 MiB  1024 MiB  on   4"
  holds "$output" "driver           570.86.15"
  holds "$output" "cuda-checkpoint  $T/bin/cuda-checkpoint (NVIDIA's): --action --timeout --toggle"
  go --json gpu-detect
  ends 0
  same '{"index":1,"memory_total":85899345920,"memory_used":1073741825,"mig":null,"minor":5,"name":"NVIDIA T4","problem":null,"uuid":"GPU-5"}' \
    "$(jq -c '.gpus[1]' <<<"$output")"
  same '["--action","--timeout","--toggle"]' "$(jq -c .cuda_checkpoint.advertises <<<"$output")"
  same "runc toggle true,runc actions true,runc nvml true,runc device-map false,runc ipc false" \
    "$(jq -r '[.capabilities[] | select(.runtime == "runc") | "\(.runtime) \(.feature) \(.ok)"] | join(",")' <<<"$output")"
}

@test "a GPU that is lost, a library that does not start, a driver without GPUs" {
  give_gpus
  FAKE_NVML=lost go gpu-detect
  ends 0
  holds "$output" "NVML cannot open GPU 1: GPU is lost"
  [ ! -e /proc/driver/nvidia ] || skip "this machine has one"
  FAKE_NVML=init go gpu-detect
  ends 4
  holds "$output" "nvml             no; NVML cannot start: Driver Not Loaded"
  FAKE_NVML=none go gpu-detect
  ends 4
  holds "$stderr" "driver 570.86.15 shows none"
}

@test "a cuda-checkpoint that fails or hangs is no reason to fail" {
  give_gpus
  printf '#!/bin/sh\necho Insufficient driver >&2\nexit 255\n' >"$T/bin/cuda-checkpoint"
  chmod +x "$T/bin/cuda-checkpoint"
  go gpu-detect
  ends 0
  holds "$output" "'$T/bin/cuda-checkpoint -h' exited with status 255: Insufficient driver"
  same "" "$stderr"
  printf '#!/bin/sh\nexec sleep 1000\n' >"$T/bin/cuda-checkpoint"
  go --timeout 200ms gpu-detect
  ends 0
  holds "$output" "'$T/bin/cuda-checkpoint -h' did not answer in time"
}

@test "CRIU's plugin is looked for where CRIU looks" {
  mkdir "$T/criu"
  CRIU_LIBS_DIR=$T/criu go --json gpu-detect
  same "{\"path\":\"$T/criu/cuda_plugin.so\",\"present\":false}" "$(jq -c .criu_plugin <<<"$output")"
  : >"$T/criu/cuda_plugin.so"
  CRIU_LIBS_DIR=$T/criu go --json gpu-detect
  same true "$(jq .criu_plugin.present <<<"$output")"
}

@test "only the runtimes that were asked for; --runtime-path names one" {
  go --json --runtime crun gpu-detect
  same '["crun"]' "$(jq -c '[.runtimes[].name]' <<<"$output")"
  cp "$FAKE_RUNTIME" "$T/crun-other"
  go --json --runtime-path "$T/crun-other" gpu-detect
  same "$T/crun-other" "$(jq -r '.runtimes[] | select(.name == "crun") | .path' <<<"$output")"
  go --runtime-path /no/such gpu-detect
  ends 3
}

@test "a bundle, a spec and a container: used or not, and why" {
  go gpu-detect --bundle "$BUNDLE"
  ends 4
  same "" "$output"
  holds "$stderr" "ckpt: '$BUNDLE/config.json' gives its container no GPU; looked at linux.devices"
  change '.linux.devices = [{path: "/dev/null"}, {path: "/dev/nvidia0"}] | .annotations["cdi.k8s.io/x"] = "nvidia.com/gpu=1"'
  go gpu-detect --bundle "$BUNDLE"
  ends 0
  same "RULE            PLACE                        VALUE
device          linux.devices[1].path        /dev/nvidia0
cdi-annotation  annotations[\"cdi.k8s.io/x\"]  nvidia.com/gpu=1" "$output"
  same "" "$stderr"
  go --json gpu-detect --spec "$BUNDLE/config.json"
  ends 0
  same '{"devices":["/dev/nvidia0","nvidia.com/gpu=1"],"reasons":[{"place":"linux.devices[1].path","rule":"device","value":"/dev/nvidia0"},{"place":"annotations[\"cdi.k8s.io/x\"]","rule":"cdi-annotation","value":"nvidia.com/gpu=1"}],"uses_gpu":true}' \
    "$(jq -c .container <<<"$output")"
  run_container c
  rm "$BUNDLE/config.json"
  go gpu-detect --container c
  ends 0
  holds "$output" "/dev/nvidia0"
}

@test "a container of somebody else's is asked by the bundle that its runtime tells" {
  change '.process.env = ["NVIDIA_VISIBLE_DEVICES=all"] | .hooks.prestart = [{path: "/usr/bin/nvidia-container-runtime-hook"}]'
  runc --root "$ROOT" create --bundle "$BUNDLE" --pid-file "$T/pid" c </dev/null
  go gpu-detect --container c
  ends 0
  holds "$output" "visible-devices  process.env[0]          all"
}

@test "specs that are none, and containers that are not there" {
  refuses 2 usage "--bundle, --spec and --container exclude each other" -- gpu-detect --bundle "$BUNDLE" --container c
  refuses 4 not-found "there is no container 'nope'" -- gpu-detect --container nope
  refuses 4 not-found "cannot read '$T/away/none/config.json'" -- gpu-detect --bundle none
  local odd
  for odd in '' '[]' '7' 'null' '{' 'text'; do
    printf %s "$odd" >"$T/odd.json"
    refuses 2 invalid-config "'$T/odd.json' is not an OCI configuration" -- gpu-detect --spec "$T/odd.json"
  done
  for odd in '{}' '{"linux":7,"mounts":{},"process":[],"hooks":"x","annotations":[1]}' '{"linux":{"devices":[null,1,"/","d",{"path":["/dev/nvidia0"]}]}}'; do
    printf %s "$odd" >"$T/odd.json"
    go gpu-detect --spec "$T/odd.json"
    ends 4
    holds "$stderr" "gives its container no GPU"
  done
}

@test "nothing is changed, and of the runtimes only runsc is asked for more than help" {
  local before
  before=$(tree)
  go gpu-detect
  same "$before" "$(tree)"
  same '["T/bin/runsc","nvproxy","list-supported-drivers"]' "$(calls)"
}
