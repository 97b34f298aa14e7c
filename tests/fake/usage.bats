#!/usr/bin/env bats
# The command line: mistakes and their suggestions, ids, global options, environment, configuration files.
# shellcheck disable=SC2154  # bats sets stderr

load helpers
setup() { make_place; }
teardown() { leave_place; }

# ---- mistakes

@test "unknown commands" {
  refuses 2 usage "unknown command 'chekpoint'" "did you mean 'checkpoint'?" "ckpt --help" -- chekpoint c
  refuses 2 usage "unknown command 'qwertyuiop'" -- qwertyuiop
  refuses 2 usage "no command" "ckpt --help" --
}
@test "unknown options" {
  refuses 2 usage "unknown option '--leave-runing'" "did you mean '--leave-running'?" "ckpt checkpoint --help" -- checkpoint --leave-runing c
  refuses 2 usage "unknown option '--keep'" "did you mean '--keep-last' or '--keep-within'" -- checkpoint --keep 3 c
  refuses 2 usage "unknown command 'ps'" "did you mean 'list'?" -- ps
  refuses 2 usage "'rm' is not one of" "did you mean 'remove'?" -- images rm x@latest
  refuses 2 usage "unknown option '--rot'" "did you mean '--root'" -- --rot=/x list
  refuses 2 usage "unknown option '-x'" -- list -x
  refuses 2 usage "unknown option '-x'" "ckpt state --help" -- state -x
  refuses 2 usage "unknown option '--bundel'" "did you mean '--bundle'?" -- restore --bundel b c
}
@test "wrong values" {
  refuses 2 usage "--manage-cgroups-mode" "'sft' is not one of soft, full, strict, ignore" "did you mean 'soft'?" -- checkpoint --manage-cgroups-mode sft c
  refuses 2 usage "--runtime" "'runcc' is not one of runc, crun, runsc, auto" "did you mean 'runc'" -- --runtime runcc list
  refuses 2 usage "--if-busy" "did you mean 'wait'?" -- checkpoint --if-busy wit c
  refuses 2 usage "--compression" "'gzip' is not one of" -- checkpoint --compression gzip c
  refuses 2 usage "--timeout" "'soon' is not a duration" "30s" -- list --timeout soon
  refuses 2 usage "--timeout" "'-1' is not a duration" -- list --timeout=-1
  refuses 2 usage "--log-format" "'xml' is not one of text, json" -- list --log-format xml
  run_container c
  refuses 2 usage "'HOP' is not a signal" "did you mean 'HUP'" -- kill c HOP
}
@test "values and words that are missing or too many" {
  refuses 2 usage "--root" -- list --root
  refuses 2 usage "ID" "ckpt checkpoint --help" -- checkpoint
  refuses 2 usage "ID" -- state
  refuses 2 usage "unexpected argument 'b'" -- state a b
  refuses 2 usage "state takes nothing behind '--'" -- state c -- -x
  refuses 2 usage "no command to execute" "ckpt exec c -- COMMAND" -- exec c
  refuses 2 usage "unexpected argument 'sh'" -- exec c sh
  refuses 2 usage "nothing to restore" "ckpt restore ID" -- restore -d
  refuses 2 usage "exclude each other" -- restore -d --image-path x --from y
  refuses 2 usage "--image-path takes one container" -- checkpoint --image-path "$T/i" a b
}
@test "containers and checkpoints that do not exist, but nearly" {
  run_container web1
  refuses 4 not-found "there is no container 'wbe1'" "did you mean 'web1'?" "ckpt list" -- state wbe1
  refuses 4 not-found "there is no container 'wbe1'" "did you mean 'web1'?" -- checkpoint wbe1
  ckpt checkpoint --leave-running web1 >/dev/null
  refuses 4 not-found "there is no checkpoint 'web@latest'" "did you mean 'web1'?" -- restore -d web
  refuses 4 not-found "there is no checkpoint 'web1@2001'" "'ckpt images list web1' shows" -- images verify web1@2001
  refuses 4 not-found "there is no container 'unlike'" -- state unlike
  [[ $stderr != *"did you mean"* ]]
}
@test "the examples of each command's help are no mistakes" {
  local verb line examples=0
  for verb in $("$CKPT" --help | awk '/^Commands:/ { on = 1; next } on && NF { print $1 } on && !NF { exit }'); do
    while read -r line; do
      line=${line%% >*} line=${line%% <*}
      # shellcheck disable=SC2086,SC2294 # words, as a shell would have them
      eval "go --dry-run ${line#ckpt }"
      [[ $status -ne 2 ]] || { echo "$line: $stderr"; return 1; }
      examples=$((examples + 1))
    done < <("$CKPT" "$verb" --help | sed -n '/^Examples:/,/^$/s/^  //p')
  done
  [[ $examples -eq 36 ]] || { echo "$examples examples"; return 1; }
}
@test "help and version are no mistakes" {
  go --version
  ends 0
  holds "$output" "ckpt "
  same "" "$stderr"
  go --help
  ends 0
  holds "$output" "checkpoint"
  same "" "$stderr"
  go restore --help
  ends 0
  holds "$output" "--image-path"
  same "" "$stderr"
  go -h
  ends 0
}

# ---- ids

@test "ids that are none" {
  local id long verb
  long=$(printf 'a%.0s' {1..300})
  for id in ../x a/b /etc .hidden "" 'a b' $'a\nb' $'\e[31m' 'ä' "$long"; do
    for verb in state wait logs kill delete checkpoint; do
      go "$verb" "$id"
      ends 2
      says "is not valid" "use letters, digits"
    done
    go run -d -b "$BUNDLE" "$id"
    ends 2
    says "is not valid"
    go exec "$id" -- true
    ends 2
    says "is not valid"
    go restore -d --image-path "$T" "$id"
    [ "$status" -ne 0 ]
  done
  refuses 2 usage "container id '../x' is not valid" -- run -d -b "$BUNDLE" ../x
  refuses 2 usage "container id '../x' is not valid" -- restore -d ../x
  refuses 2 usage "container id '..' is not valid" -- restore -d --from ..@latest
  refuses 2 usage "'c@latest' is a checkpoint's name" "--from" -- restore -d c@latest
  refuses 4 not-found "there is no image directory" -- restore -d --from ../x@latest
  refuses 2 usage "container id '../x' is not valid" -- delete --force ../x
  refuses 2 usage "unknown option '-x'" -- state -x c
  no_record
  [ ! -e "$FAKE_RECORD" ]
}
@test "one bad id among several: nothing is checkpointed" {
  run_container c && forget_calls
  refuses 2 usage "container id 'b/d' is not valid" -- checkpoint --leave-running c b/d
  same "" "$(verbs)"
}
@test "an id of 128 characters, and ids equal to verbs and options' words" {
  local id long
  long=$(printf 'a%.0s' {1..128})
  for id in "$long" list checkpoint run auto latest 0 a.b_c+d-e; do
    run_container "$id"
    go checkpoint --leave-running "$id"
    ends 0
    same "" "$stderr"
    holds "$output" "$id@"
    go checkpoint "$id"
    ends 0
    go restore -d "$id"
    ends 0
    is_now "$id" running
    ckpt delete --force "$id"
  done
  nothing_left
  no_record
}

# ---- global options, environment, files

@test "global options before and behind the command" {
  run_container c
  same c "$(ckpt --root "$ROOT" -q list)"
  same c "$(ckpt list --root "$ROOT" -q)"
  same c "$(ckpt list -q --root="$ROOT" --runtime runc)"
  same running "$(ckpt state c --json | jq -r .status)"
}

root_used() { awk '{for (i = 1; i < NF; ++i) if ($i == "--root") {print $(i + 1); exit}}' <<<"$(ckpt "$@" run --dry-run -d -b "$BUNDLE" c)"; }
config() { cat >"$T/ckpt.toml"; }

@test "the command line wins over the environment, that over the file" {
  unset CKPT_ROOT
  same /run/runc "$(root_used --runtime runc)"
  config <<<"root = '/from/file'"
  same /from/file "$(root_used --config "$T/ckpt.toml")"
  same /from/file "$(CKPT_CONFIG=$T/ckpt.toml root_used)"
  same /from/env "$(CKPT_ROOT=/from/env root_used --config "$T/ckpt.toml")"
  same /from/line "$(CKPT_ROOT=/from/env root_used --config "$T/ckpt.toml" --root /from/line)"
}
@test "every kind of value in a file" {
  unset CKPT_STORE
  config <<END
runtime = "runsc"
platform = "kvm"
runtime-arg = ["--network=none", "--debug"]
store = "$T/elsewhere"
timeout = 90
quiet = true
END
  go --config "$T/ckpt.toml" run -d -b "$BUNDLE" c
  ends 0
  holds "$(calls | head -n 1)" '"--platform","kvm","--network=none","--debug","create"'
  [ -e "$T/elsewhere/logs/c.log" ]
  config <<<'runtime_arg = "--debug"'
  go --config "$T/ckpt.toml" --runtime runsc run -d -b "$BUNDLE" --dry-run d
  ends 0
  holds "$output" " --debug create "
}
@test "a flag in the environment" {
  run_container c
  same running "$(CKPT_JSON=true ckpt list | jq -r '.[0].status')"
  same c "$(CKPT_QUIET=1 ckpt list)"
  go state nosuch
  says "there is no container"
  CKPT_JSON=false go state nosuch
  ends 4
  says "there is no container"
  CKPT_JSON=true go state nosuch
  ends 4
  says_json not-found
}
@test "wrong values in the environment" {
  CKPT_RUNTIME=runcc refuses 2 usage "'runcc' is not one of" -- list
  CKPT_TIMEOUT=soon refuses 2 usage "'soon' is not a duration" -- list
}
@test "files that are wrong" {
  refuses 2 invalid-config "cannot read --config '$T/none.toml'" "no such file" -- --config "$T/none.toml" list
  config <<<"rot = '/x'"
  refuses 2 invalid-config "'$T/ckpt.toml'" "unknown key 'rot'" "did you mean 'root'?" -- --config "$T/ckpt.toml" list
  config <<<$'root = "/x"\n[runtime'
  refuses 2 invalid-config "'$T/ckpt.toml' line 2" -- --config "$T/ckpt.toml" list
  config <<<"runtime = 'runcc'"
  refuses 2 invalid-config "'$T/ckpt.toml'" "'runcc' is not one of runc, crun, runsc, auto" "did you mean 'runc'" -- --config "$T/ckpt.toml" list
  config <<<"timeout = 'soon'"
  refuses 2 invalid-config "'soon' is not a duration" -- --config "$T/ckpt.toml" list
  config <<<"root = {a = 1}"
  refuses 2 invalid-config "'root'" -- --config "$T/ckpt.toml" list
  config <<<"platform = ['a', 'b']"
  refuses 2 invalid-config "platform" -- --config "$T/ckpt.toml" list
  config <<<"quiet = 'perhaps'"
  refuses 2 invalid-config "quiet: 'perhaps'" -- --config "$T/ckpt.toml" list
  config <<<"help = true"
  refuses 2 invalid-config "unknown key 'help'" -- --config "$T/ckpt.toml" list
  printf '\xff\xfe\x00root' >"$T/ckpt.toml"
  refuses 2 invalid-config "'$T/ckpt.toml' line 1" -- --config "$T/ckpt.toml" list
}
@test "ckpt's own log" {
  run_container c
  go --log "$T/own.log" --log-format json state c
  ends 0
  same "" "$stderr"
  jq -e '.time and .level and .msg' "$T/own.log" >/dev/null
  go --log "$T/none/own.log" state c
  ends 2
  says "cannot write --log '$T/none/own.log'" "no such file or directory"
}
