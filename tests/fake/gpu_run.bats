#!/usr/bin/env bats
# The script for machines with a GPU, tests/gpu/run: what it says without one, and all that it does, with a fake one.
# shellcheck disable=SC2154  # bats sets stderr

load helpers

setup() {
  T=$BATS_TEST_TMPDIR
  GPU=$BATS_TEST_DIRNAME/../gpu
  BUILD=$(dirname -- "$CKPT")
  export TMPDIR=$T/tmp
  mkdir "$TMPDIR"
}

# A fake GPU's libraries and programs, in $T/gpu.
give_gpu() {
  export CKPT_GPU_FAKE=$T/gpu
  mkdir "$T/gpu"
  "${CC:-cc}" -shared -fPIC -O2 -Wall -Wextra -Werror -o "$T/gpu/libcuda.so.1" "$GPU"/fake-{libcuda,cuda-device}.c
  "${CC:-cc}" -shared -fPIC -O2 -Wall -Wextra -Werror -o "$T/gpu/libnvidia-ml.so.1" "$BATS_TEST_DIRNAME/fake-nvml.c"
  "${CC:-cc}" -static -O2 -Wall -Wextra -Werror -o "$T/gpu/cuda-checkpoint" "$GPU/fake-cuda-checkpoint.c"
  cat >"$T/gpu/nvidia-smi" <<'SH'
#!/bin/bash
used=100
for file in "$FAKE_CUDA_DIR"/mem-*[0-9]; do
  pid=${file##*-}
  if kill -0 "$pid" 2>/dev/null && [[ $(<"$FAKE_CUDA_DIR/state-$pid") != checkpointed ]]; then used=$((used + $(<"$file"))); fi
done
case $1 in
  *=name) echo "Fake H100" ;;
  *=uuid) echo GPU-00000000-1111-2222-3333-444444444444 ;;
  *=driver_version) echo 570.86.15 ;;
  *=memory.total) echo 81920 ;;
  *=memory.free) echo $((81920 - used)) ;;
  *=memory.used) echo "$used" ;;
  *=pcie.link.gen.*) echo 5 ;;
  *=pcie.link.width.*) echo 16 ;;
  *) exit 1 ;;
esac 2>/dev/null
SH
  chmod +x "$T/gpu/nvidia-smi"
}
nothing_is_left() { same "" "$(find "$TMPDIR" -mindepth 1; pgrep -f "$TMPDIR/" || true)"; }

@test "without a GPU it says so with status 4" {
  [ ! -e /dev/nvidia0 ] || skip "this machine has one"
  run --separate-stderr "$GPU/run"
  ends 4
  same "" "$output"
  holds "$stderr" "run: this machine has no NVIDIA GPU that can be used"
  nothing_is_left
}

@test "its usage" {
  run --separate-stderr "$GPU/run" -h
  ends 0
  holds "$output" "tests/gpu/run --pack FILE.tar [BUILD]"
  run --separate-stderr "$GPU/run" --fast
  ends 2
  holds "$stderr" "unknown option '--fast'"
}

@test "all its checks pass with a fake GPU, from a bundle" {
  give_gpu
  "$GPU/run" --pack "$T/bundle.tar" "$BUILD"
  run --separate-stderr "$GPU/run" "$T/bundle.tar"
  echo "$output" "$stderr"
  ends 0
  same "" "$(grep '^not ok' <<<"$output" || true)"
  holds "$output" "# FAKE: this is about no real GPU"
  holds "$output" "ok 6 - 1 process: the counters stand still while locked"
  if [ -x "$BUILD/../runtimes/runc-1.3/bin/runc" ] && [ -x "$BUILD/../runtimes/criu/bin/criu" ]; then
    holds "$output" "the restored GPU memory is as it was"
  fi
  [[ ${lines[-1]} =~ ^[0-9]+\ passed,\ 0\ failed ]]
  nothing_is_left
}

@test "a driver that fails is seen" {
  give_gpu
  sed -i 's/\*=memory.used) .*/*=memory.used) echo 500 ;;/' "$T/gpu/nvidia-smi"
  run --separate-stderr "$GPU/run" "$BUILD"
  ends 1
  holds "$output" "not ok 7 - 1 process: at least 2 MiB of the GPU are free while checkpointed"
  [[ ${lines[-1]} =~ ^[0-9]+\ passed,\ [1-9][0-9]*\ failed ]]
  nothing_is_left
}
