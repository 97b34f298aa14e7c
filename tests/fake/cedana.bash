# shellcheck shell=bash
# A Cedana of our own making: it records its calls and has the fake runc do the work.

# install_cedana: in PATH, with its runc plugin and a daemon that answers.
install_cedana() {
  : >"$FAKE_DIR/daemon"
  cat >"$T/bin/cedana" <<'SH'
#!/bin/bash
set -u
jq -cn '[$ARGS.positional[]]' --args -- "$0" "$@" >>"$FAKE_RECORD"
unset FAKE_RECORD
stop() {
  echo "Error: $*" >&2
  exit 1
}
verb=$1
misbehave() {
  if [ "$verb" = restore ]; then
    echo '(00.1) Error (criu/sk-inet.c:912): inet: Connected TCP socket in image' >"$path/criu-restore.log"
  fi
  case $(cat "$FAKE_DIR/do/cedana-$verb" 2>/dev/null) in
    fail) stop "rpc error: code = Internal desc = failed CRIU dump" ;;
    hang)
      mkdir -p "$FAKE_DIR/at" && echo $$ >"$FAKE_DIR/at/cedana"
      exec sleep 1000
      ;;
    quit) exit 0 ;;
  esac
}
case "$*" in
  --version) printf 'git: 0123456\ncedana version v0.9.299\n' && exit ;;
  *--help) cat "$FAKE_DIR/help/cedana-$verb.txt" && exit ;;
  'daemon check')
    misbehave
    [ -e "$FAKE_DIR/daemon" ] || stop "Error connecting to daemon: connection refused"
    exit
    ;;
esac
root='' dir='' name='' path='' new_id='' id='' more=()
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=$2 && shift ;;
    --dir) dir=$2 && shift ;;
    --name) name=$2 && shift ;;
    --path) path=$2 && shift ;;
    --id) new_id=$2 && shift ;;
    --compression) shift ;;
    --bundle | --pid-file | --console-socket) more+=("$1" "$2") && shift ;;
    --leave-running | --detach | --tcp-* | --file-locks) more+=("$1") ;;
    --no-server) ;;
    --*) stop "unknown flag: $1" ;;
    *) id=$1 ;;
  esac
  shift
done
misbehave
if [ "$verb" = dump ]; then
  mkdir -- "$dir/$name" || stop "failed to create dump dir"
  exec runc --root "$root" checkpoint --image-path "$dir/$name" --work-path "$dir/$name" "${more[@]}" "$id"
fi
[ -d "$path" ] || stop "path error: $path"
echo '(00.000100) no error' >"$path/criu-restore.log"
exec runc --root "$root" restore --image-path "$path" --work-path "$T" "${more[@]}" "$new_id"
SH
  chmod +x "$T/bin/cedana"
  cp "$FIXTURES/cedana-0.9-dump.txt" "$FAKE_DIR/help/cedana-dump.txt"
  cp "$FIXTURES/cedana-0.9-restore.txt" "$FAKE_DIR/help/cedana-restore.txt"
}
cedana_does() { echo "$2" >"$FAKE_DIR/do/cedana-$1"; }
