#!/usr/bin/env bats
# The completions of bash, zsh and fish, in these shells: everything that the help shows, and what ckpt itself knows.
# shellcheck disable=SC2154  # bats sets stderr

load helpers

COMPLETIONS=$BATS_TEST_DIRNAME/../../completions

setup() {
  make_place
  ln -s "$CKPT" "$T/bin/ckpt"
  ln -s /bin/true "$T/bin/nvidia-container-runtime"
  export HOME=$T XDG_CONFIG_HOME=$T XDG_DATA_HOME=$T TERM=dumb
  mkdir -p "$T/functions" "$T/cdi"
  cp "$COMPLETIONS/_ckpt" "$T/functions"
  cat >"$T/cdi/acme.json" <<'JSON'
{"cdiVersion": "0.6.0", "kind": "acme.com/gpu",
 "devices": [{"name": "0", "containerEdits": {"env": ["A=0"]}}, {"name": "1", "containerEdits": {"env": ["A=1"]}}]}
JSON
}
teardown() { leave_place; }

# on_terminal SHELL...: an interactive shell on a terminal of its own, which is typed what comes in.
on_terminal() {
  socat -t 20 - "EXEC:'$*',pty,setsid,ctty,stderr,rawer" 2>/dev/null 3>&- | tr -d '\r' |
    sed -n 's/^RESULT //p' | tail -n 1
}

# Each: the line as that shell completes it, with every match inserted where there are several.
line_in_bash() {
  printf '%s\n' "bind 'set enable-bracketed-paste off'" "PS1= PS2=" "stty -echo cols 30000" ". '$COMPLETIONS/ckpt.bash'" >"$T/rc"
  printf '%s\e*\001echo RESULT \nexit\n' "$1" | on_terminal bash --rcfile "$T/rc" --noprofile -i
}
line_in_zsh() {
  cat >"$T/.zshrc" <<'ZSH'
PS1= PS2= RPS1=
unset zle_bracketed_paste
unsetopt prompt_cr prompt_sp list_beep
stty -echo cols 30000
fpath=($HOME/functions $fpath)
autoload -Uz compinit && compinit -u -D
zle -C all-matches complete-word _generic
bindkey -e
bindkey '^X' all-matches
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert yes
ZSH
  printf '%s\030\001print -r RESULT \nexit\n' "$1" | ZDOTDIR=$T on_terminal zsh -d -i
}

# words_in SHELL LINE: what may stand at the line's end, one a line.
words_in() {
  local line
  if [ "$1" = fish ]; then
    fish --no-config -c "source '$COMPLETIONS/ckpt.fish'; complete -C '$2'" | cut -f 1 | sort
    return
  fi
  line=$("line_in_$1" "$2")
  tr ' ' '\n' <<<"${line#"${2% *}"}" | sed '/^$/d' | sort
}

# offers SHELL LINE WORD...: exactly these.
offers() {
  local shell=$1 line=$2
  shift 2
  same "$(printf '%s\n' "$@" | sort)" "$(words_in "$shell" "$line" | sed 's|/$||')" || { echo "$shell: '$line'"; return 1; }
}

in_each_shell() {
  local shell
  for shell in bash zsh fish; do "$@" "$shell"; done
}

verbs() { "$CKPT" --help | awk '/^Commands:/ { on = 1; next } on && NF { print $1 } on && !NF { exit }'; }
long_options() { "$CKPT" ${1:+"$1"} --help | sed -n 's/^  \(-[^ ]*\).*/\1/p' | sed 's/\[=.*//' | tr , '\n' | grep '^--'; }
# "OPTION CHOICE..." of those that have choices
choices() {
  "$CKPT" ${1:+"$1"} --help | sed -n 's/^  \(-[^ ]*\) \([a-z0-9-]*|[a-z0-9|-]*\).*/\1 \2/p' | sed 's/^[^ ]*,//' | tr '|' ' '
}

@test "the files are what ckpt prints" {
  "$CKPT" completion bash | diff - "$COMPLETIONS/ckpt.bash"
  "$CKPT" completion zsh | diff - "$COMPLETIONS/_ckpt"
  "$CKPT" completion fish | diff - "$COMPLETIONS/ckpt.fish"
  bash -n "$COMPLETIONS/ckpt.bash"
  zsh -n "$COMPLETIONS/_ckpt"
  fish --no-execute "$COMPLETIONS/ckpt.fish"
}

@test "a shell that there is no script for" {
  go completion csh
  ends 2
  holds "$stderr" "'csh' is not one of bash, zsh, fish"
}

all_verbs() {
  local names
  mapfile -t names < <(verbs)
  offers "$1" "ckpt " "${names[@]}"
}
@test "every command, and none that is hidden" {
  in_each_shell all_verbs
  run ! grep -q -- '-a __complete' "$COMPLETIONS/ckpt.fish"
}

all_options() {
  local verb words option
  for verb in $(verbs); do
    words=$(words_in "$1" "ckpt $verb --")
    for option in $(long_options "$verb") $(long_options); do
      grep -qx -- "${option%%=}=\\?" <<<"$words" || { echo "$1: ckpt $verb has no $option in: $words"; return 1; }
    done
  done
}
@test "every option of every command, and the global ones behind each" {
  in_each_shell all_options
}

all_choices() {
  local verb option values
  for verb in '' $(verbs); do
    while read -r option values; do
      # shellcheck disable=SC2086 # words
      offers "$1" "ckpt ${verb:+$verb }$option " $values
    done < <(choices "$verb")
  done
}
@test "every choice of every option" {
  in_each_shell all_choices
}

of_one_place() {
  offers "$1" "ckpt state w" web
  offers "$1" "ckpt --json kill web T" TERM
  offers "$1" "ckpt checkpoint --cuda off " db web
  offers "$1" "ckpt delete -f d" db
  offers "$1" "ckpt gpu-detect --container " db web
  offers "$1" "ckpt restore " web
  offers "$1" "ckpt run --cdi-spec-dir $T/cdi --device a" acme.com/gpu=0 acme.com/gpu=1
  offers "$1" "ckpt images p" pin prune pull push
  offers "$1" "ckpt images list " web
  offers "$1" "ckpt images verify web@l" web@latest
  offers "$1" "ckpt images verify " "$NAME" web@latest
  offers "$1" "ckpt restore --from web@2" "$NAME"
  offers "$1" "ckpt --root $T/empty state "
  offers "$1" "ckpt --store $T/empty restore "
}
@test "containers, checkpoints and devices, where the line says that they are" {
  for id in web db; do
    go run -d -b "$BUNDLE" "$id"
    ends 0
  done
  go checkpoint --leave-running web
  ends 0
  NAME=$output
  mkdir "$T/empty"
  in_each_shell of_one_place
}

installed() { offers "$1" "ckpt --runtime " auto crun nvidia-container-runtime runsc; }
@test "runtimes that are installed" {
  rm "$T/bin/runc"
  [ -z "$(PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/sbin command -v runc crun runsc)" ] || skip "this machine has some"
  in_each_shell installed
}

paths() {
  offers "$1" "ckpt run -b $T/here/d" "$T/here/dir"
  offers "$1" "ckpt run --pid-file $T/here/f" "$T/here/file"
}
@test "files and directories" {
  mkdir -p "$T/here/dir"
  : >"$T/here/dub"
  : >"$T/here/file"
  in_each_shell paths
}

broken() { offers "$1" "ckpt --config $T/broken.toml state "; }
@test "a ckpt that fails offers nothing, and says nothing" {
  echo '[' >"$T/broken.toml"
  in_each_shell broken
}

@test "names that a shell would expand are no names" {
  mkdir -p "$ROOT/\$(touch $T/evil)" "$ROOT/ok"
  : >"$ROOT/\$(touch $T/evil)/state.json" 2>/dev/null || true
  mkdir -p "$ROOT/\$(id)"
  : >"$ROOT/\$(id)/state.json"
  : >"$ROOT/ok/state.json"
  go __complete containers
  same ok "$output"
  [ ! -e "$T/evil" ]
}

@test "installed where the shells look" {
  build=$(dirname -- "$(realpath "$CKPT")")
  [ -e "$build/cmake_install.cmake" ] || skip "not run from a build directory"
  grep -q 'share/bash-completion/completions' "$build/cmake_install.cmake"
  grep -q 'share/zsh/site-functions' "$build/cmake_install.cmake"
  grep -q 'share/fish/vendor_completions.d' "$build/cmake_install.cmake"
}
