#!/usr/bin/env bats
# A writable layer of the container's own: saved with the memory, laid down again at each restore.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # conditions for later; variables of helpers.bash and of each test

load helpers

# A database in the root file system that must agree with the process' memory all the time, on a layer.
database() {
  COUNT=$DATA/count
  if [[ $KIND == runsc ]]; then GLOBAL=(--network=none); fi
  bundle bundle /bin/payload database /db /data/count
  launch --overlay "$ID"
  await '(($(count) > 5))'
}

layers() { find "$STORE/layers" -mindepth 2 -maxdepth 2 2>/dev/null; }
rootfs() { find "$BUNDLE/rootfs" -mindepth 1 ! -name '.gvisor.filestore*' -printf '%P %y %m %s %T@\n' | sort; }
newest() { ckpt images list -q "$ID" | tail -n 1; }

# restored NAME: from that checkpoint, in place of what runs; it goes on and its file agrees. What ran before may have
# counted further.
restored() {
  local left
  ckpt restore -d --replace --from "$1" "$ID"
  left=$(count)
  await "[[ \$(count) != $left ]]"
  counts_on
  is_running "$ID"
}

@test "memory and files are of one moment, and the bundle stays as it was" {
  local before first
  database
  before=$(rootfs)
  first=$(ckpt checkpoint --leave-running "$ID")
  counts_on
  ckpt checkpoint "$ID"
  [[ -z $(layers) ]] || fail "a layer is left: $(layers)"
  restored "$ID@latest"
  ckpt checkpoint --leave-running "$ID"
  restored "$ID@latest"
  restored "$first"
  [[ $(rootfs) == "$before" ]] || fail "the bundle was changed"
  ckpt delete --force "$ID"
  [[ -z $(layers) ]] || fail "a layer is left: $(layers)"
}

@test "without a layer a file that has gone on is named before the runtime is called" {
  COUNT=$DATA/count
  bundle bundle /bin/payload database /db /data/count
  launch "$ID"
  await '(($(count) > 5))'
  ckpt checkpoint --leave-running "$ID"
  counts_on
  if [[ $KIND == runsc ]]; then skip "gVisor takes files as they are now"; fi
  ckpt delete --force "$ID"
  ends_with 11 ckpt restore -d "$ID"
  says "'/db'" 'bytes'
}

@test "twenty generations restore in any order" {
  local i first name
  local -a names=()
  local -A from=() to=()
  database
  for i in {1..20}; do
    first=$(count)
    name=$(ckpt checkpoint --leave-running "$ID")
    names+=("$name")
    from[$name]=$first
    to[$name]=$(count)
    counts_on 5
  done
  # The payload ends when its file is not of the moment of its memory; which moment it is shows its first number.
  for name in $(printf '%s\n' "${names[@]}" | shuf --random-source=<(yes)); do
    ckpt delete --force "$ID"
    printf '0\n' | tee "$COUNT" >"$COUNT.tmp"
    ckpt restore -d --from "$name" "$ID"
    await '(($(count) > 0))'
    first=$(count)
    ((first > from[$name] && first <= to[$name] + 4)) || fail "$name is of ${from[$name]}..${to[$name]}, it began at $first"
    counts_on
    is_running "$ID"
  done
}

@test "runsc without its own overlay has none" {
  [[ $KIND == runsc ]] || skip "of runsc"
  bundle bundle /bin/payload sleep
  ends_with 3 launch --overlay "$ID"
  says '--overlay2=none'
}

@test "every kind of change comes back" {
  local root pid now
  [[ $KIND != runsc ]] || skip "gVisor's own overlay, inside its image"
  bundle bundle /bin/payload counter /data/count
  COUNT=$DATA/count
  mkdir -p "$BUNDLE"/rootfs/etc/{keep,gone,opaque}
  echo lower >"$BUNDLE/rootfs/etc/keep/file"
  echo lower >"$BUNDLE/rootfs/etc/deleted"
  echo lower >"$BUNDLE/rootfs/etc/gone/file"
  echo lower >"$BUNDLE/rootfs/etc/opaque/file"
  launch --overlay "$ID"
  await '(($(count) > 5))'
  pid=$(ckpt state "$ID" | jq .pid)
  root=/proc/$pid/root
  rm "$root/etc/deleted"
  rm -r "$root/etc/gone" "$root/etc/opaque"
  mkdir "$root/etc/opaque"
  echo upper >"$root/etc/opaque/new"
  echo changed >>"$root/etc/keep/file"
  ln "$root/etc/keep/file" "$root/etc/keep/link"
  ln -s /nowhere "$root/etc/symlink"
  mkfifo "$root/etc/fifo"
  mknod "$root/etc/null" c 1 3
  touch -d '2001-02-03 04:05:06.123456789' "$root/etc/keep/file"
  chmod 4751 "$root/etc/keep/file"
  chown 123:456 "$root/etc/symlink" --no-dereference
  echo 'näme' >"$root/etc/"$'n\303\244me with\nnewline'
  echo latin >"$root/etc/"$'latin\344'
  truncate -s 1G "$root/etc/sparse"
  echo end >>"$root/etc/sparse"
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.a", b"\0value"); os.setxattr(sys.argv[1], "trusted.t", b"t")' \
    "$root/etc/keep/file"
  look() {
    (cd "/proc/$(ckpt state "$ID" | jq .pid)/root/etc" && find . -printf '%P %y %m %U:%G %n %s %l\n' | sort | grep -av ' d ' &&
      find . -type f -size -1M -exec md5sum {} + | sort && find keep/file keep . symlink -printf '%P %T@\n' &&
      python3 -c 'import os; print(sorted(os.listxattr("keep/file")), os.getxattr("keep/file", "user.a"))')
  }
  before=$(look)
  for _ in 1 2; do
    ckpt checkpoint "$ID"
    ckpt restore -d "$ID"
    counts_on
    now=$(look)
    root=/proc/$(ckpt state "$ID" | jq .pid)/root
    diff <(echo "$before") <(echo "$now")
    [[ ! -e $root/etc/deleted && ! -e $root/etc/gone && ! -e $root/etc/opaque/file ]]
  done
  (($(du -k "$root/etc/sparse" | cut -f 1) < 2000)) || fail "the hole is filled"
  (($(du -k "$STORE/checkpoints/$ID"/*/rootfs-diff.tar | cut -f 1 | sort -n | tail -n 1) < 2000)) || fail "the hole is stored"
}
