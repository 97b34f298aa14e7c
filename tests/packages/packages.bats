#!/usr/bin/env bats
# The packages of scripts/package: what lintian says, and their life in fresh roots of Debian 12 and 13.
# shellcheck disable=SC2154  # bats sets stderr

load roots

REPOSITORY=$BATS_TEST_DIRNAME/../..
SUITES=(bookworm trixie)

setup_file() {
  bats_require_minimum_version 1.7.0
  export OUT=$BATS_FILE_TMPDIR/out
  "$REPOSITORY/scripts/package" "$OUT"
  DEB=$(echo "$OUT"/*.deb) TARBALL=$(echo "$OUT"/*.tar.gz)
  export DEB TARBALL
  make_roots
}

# Both at once; one that could not be made is missed by the tests that need it.
make_roots() {
  local suite packages
  packages=$(dpkg-deb -f "$DEB" Depends | tr , '\n' | sed 's/^ *//; s/ .*//' | paste -sd,)
  command -v mmdebstrap >/dev/null || return 0
  for suite in "${SUITES[@]}"; do
    (make_root "$suite" "$packages") >"$BATS_FILE_TMPDIR/$suite.log" 2>&1 3>&- || touch "$BATS_FILE_TMPDIR/no-$suite" &
  done
  wait
}

# lacks WHAT: nothing may be skipped in CI.
lacks() {
  [ "${CI-}" != true ] || { echo "$1"; return 1; }
  skip "$1"
}

# fresh SUITE: a root in $R
fresh() {
  command -v mmdebstrap >/dev/null || lacks 'no mmdebstrap'
  [ ! -e "$BATS_FILE_TMPDIR/no-$1" ] || lacks "no root of $1: $(cat "$BATS_FILE_TMPDIR/$1.log")"
  R=$BATS_TEST_TMPDIR/root
  cp -a --reflink=auto -- "$REPOSITORY/build/roots/$1/root" "$R"
}

files_of() { find "$1" -xdev ! -path "$1/var/lib/dpkg*" ! -path "$1/var/log/*" -printf '%P\n' | sort; }

# works PROGRAM: in $R, with its helpers, as a doctor without runtimes sees it.
works() {
  local version=${DEB##*/ckpt_}
  [ "$(inside "$R" "$1" --version)" = "ckpt ${version%_*}" ]
  run --separate-stderr inside "$R" "$1" doctor
  [ "$status" -eq 3 ]
  [[ $stderr == *"1 of "*" checks fails: runtime any"* ]]
  [ "$(grep -c '^ok *ckpt .* there$' <<<"$output")" -eq 3 ]
}

has_all_libraries() {
  run ldd_in "$1"
  [ "$status" -eq 0 ]
  [[ $output == *libarchive.so.13* && $output != *"not found"* && $output != *"undefined symbol"* ]]
}
ldd_in() { inside "$R" ldd -r "$1" 2>&1; }

@test "the same build makes the same files" {
  "$REPOSITORY/scripts/package" "$BATS_TEST_TMPDIR"
  cmp "$DEB" "$BATS_TEST_TMPDIR/${DEB##*/}"
  cmp "$TARBALL" "$BATS_TEST_TMPDIR/${TARBALL##*/}"
}

@test "lintian has nothing to say" {
  command -v lintian >/dev/null || lacks 'no lintian'
  run lintian --allow-root --fail-on error,warning "$DEB"
  echo "$output"
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "the programs are hardened as Debian's are" {
  local file elf
  dpkg-deb -x "$DEB" "$BATS_TEST_TMPDIR/deb"
  for file in bin/ckpt libexec/ckpt/cuda-checkpoint libexec/ckpt/libckpt-layer.so; do
    elf=$(readelf -dlW "$BATS_TEST_TMPDIR/deb/usr/$file")
    echo "$file: $elf"
    [[ $elf == *GNU_RELRO* && $elf == *"BIND_NOW"* ]]
  done
  nm -D "$BATS_TEST_TMPDIR/deb/usr/bin/ckpt" | grep -q __stack_chk_fail
  nm -D "$BATS_TEST_TMPDIR/deb/usr/bin/ckpt" | grep -q '_chk@'
}

# errors_of FLAG...: how many files are compiled with warnings as errors, in a configuration with these
errors_of() {
  cmake -S "$REPOSITORY" -B "$BATS_TEST_TMPDIR/build" -G Ninja -D CMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" >/dev/null
  grep -c -- ' -Werror\b' "$BATS_TEST_TMPDIR/build/compile_commands.json" || true
}

@test "warnings are errors only where it is asked for" {
  [ "$(errors_of -D CMAKE_BUILD_TYPE=Release)" -eq 0 ]
  [ "$(errors_of -D CKPT_WERROR=ON)" -gt 100 ]
}

in_source() { git -C "$SOURCE" -c user.name=t -c user.email=t@t "$@"; }
# says VERSION: what version.cmake makes of the source in $SOURCE
says() {
  cmake -D SOURCE="$SOURCE" -D VERSION=1.2.3 -D OUT="$SOURCE/version.cpp" -P "$REPOSITORY/scripts/version.cmake"
  grep -qF "return \"$1\";" "$SOURCE/version.cpp" || { cat "$SOURCE/version.cpp"; return 1; }
}

@test "the version: of the tag, behind it, without one, without git" {
  local first
  SOURCE=$BATS_TEST_TMPDIR/source
  mkdir "$SOURCE"
  says 1.2.3
  in_source init -q
  in_source commit -q --allow-empty -m one
  says "1.2.3+g$(in_source rev-parse --short HEAD)"
  in_source tag v2.0.0
  says 2.0.0
  first=$(stat -c %y "$SOURCE/version.cpp")
  says 2.0.0
  [ "$(stat -c %y "$SOURCE/version.cpp")" = "$first" ]
  in_source commit -q --allow-empty -m two
  says "2.0.0+1.g$(in_source rev-parse --short HEAD)"
}

deb_on() {
  local page before after
  fresh "$1"
  before=$(files_of "$R")
  cp -- "$DEB" "$R/run.deb"
  inside "$R" dpkg -i /run.deb
  works ckpt
  has_all_libraries /usr/libexec/ckpt/libckpt-layer.so
  for page in "$REPOSITORY"/man/*; do
    zcat "$R/usr/share/man/man${page##*.}/${page##*/}.gz" | cmp - "$page"
  done
  inside "$R" bash -c '. /usr/share/bash-completion/completions/ckpt && complete -p ckpt'
  [ -e "$R/usr/share/zsh/vendor-completions/_ckpt" ]
  [ -e "$R/usr/share/fish/vendor_completions.d/ckpt.fish" ]
  [ -e "$R/usr/lib/systemd/system/ckpt-checkpoint@.service" ]

  echo 'store = "/srv/mine"' >>"$R/etc/ckpt/ckpt.toml"
  inside "$R" dpkg -i /run.deb
  inside "$R" ckpt doctor 2>/dev/null | grep -F "'/srv/mine' is made when it is needed"

  mkdir -p "$R/var/lib/ckpt/checkpoints/web"
  inside "$R" dpkg --purge ckpt
  rm -- "$R/run.deb"
  after=$(files_of "$R")
  diff <(printf '%s\n' "$before" var/lib/ckpt{,/checkpoints{,/web}} | sort) <(echo "$after")
}
@test "the .deb on Debian 12: installed, kept through an upgrade, purged" { deb_on bookworm; }
@test "the .deb on Debian 13: installed, kept through an upgrade, purged" { deb_on trixie; }

tarball_on() {
  local name=${TARBALL##*/}
  name=${name%-*}
  fresh "$1"
  tar -C "$R/opt" -xzf "$TARBALL"
  works "/opt/$name/bin/ckpt"
  has_all_libraries "/opt/$name/libexec/ckpt/libckpt-layer.so"
  mkdir -p "$R/srv/else where"
  mv -- "$R/opt/$name" "$R/srv/else where/ckpt"
  ln -s '/srv/else where/ckpt/bin/ckpt' "$R/usr/local/bin/ckpt"
  works ckpt
}
@test "the tarball on Debian 12: moved, and through a link" { tarball_on bookworm; }
@test "the tarball on Debian 13: moved, and through a link" { tarball_on trixie; }

helpers_seen() { inside "$R" setpriv --reuid 65534 --clear-groups "$1" doctor 2>/dev/null | grep -c '^ok *ckpt .* there$'; }

@test "a set-uid ckpt takes helpers only from where root put it" {
  fresh bookworm
  mkdir -p "$R/opt/own"
  tar -C "$R/opt/own" --strip-components 1 -xzf "$TARBALL"
  chmod 4755 "$R/opt/own/bin/ckpt"
  [ "$(helpers_seen /opt/own/bin/ckpt)" -eq 3 ]
  chown 65534 "$R/opt/own/bin"
  [ "$(helpers_seen /opt/own/bin/ckpt)" -eq 0 ]
}
