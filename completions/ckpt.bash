# bash completion for ckpt. Made by 'ckpt completion bash'; not edited by hand.
# shellcheck shell=bash

_ckpt_verbs='= run checkpoint restore list images state wait logs exec kill pause resume delete gpu-detect gpu-thaw explain doctor completion'

# The options of a command, with the global ones.
_ckpt_options() {
  case $1 in
    run) kind='= -b --bundle -d --detach --pid-file --log-path --console-socket --device --cdi-spec-dir --stdio --overlay --no-pivot' ;;
    checkpoint) kind='= --image-path --work-path --work-dir --leave-running --tcp-established --allow-open-tcp --tcp --skip-in-flight --tcp-skip-in-flight --link-remap --file-locks --ext-unix-sk --shell-job --engine --manage-cgroups-mode --network-lock --empty-ns --compression --pre-copy --cuda --cuda-timeout --keep-last --keep-within --max-bytes --min-free --if-busy --if-not-running --retries --splay --push --authfile --rclone-config --tls-verify --metrics-file --check --force --explain-flags --all --manager --filter' ;;
    restore) kind='= --image-path --from --authfile --rclone-config --tls-verify --trust-spec -b --bundle --spec --map-mount --hostname --work-path --work-dir -d --detach --pid-file --log-path --console-socket --tcp-established --allow-open-tcp --tcp-close --tcp --link-remap --file-locks --ext-unix-sk --shell-job --manage-cgroups-mode --network-lock --empty-ns --lsm-profile --lsm-mount-context --no-pivot --engine --cuda --gpu-map --replace --verify-image --check --verify --no-verify --probe --probe-timeout --force --all --manager --filter' ;;
    list) kind='= -a --all --manager --filter' ;;
    images) kind='= --keep-last --keep-within --max-bytes --min-free --off -f --force --html --archive --compression --id --trust-spec --authfile --rclone-config --tls-verify' ;;
    state) kind='= ' ;;
    wait) kind='= ' ;;
    logs) kind='= -f --follow' ;;
    exec) kind='= --cwd -u --user -e --env -t --tty -d --detach --pid-file --preserve-fds' ;;
    kill) kind='= ' ;;
    pause) kind='= ' ;;
    resume) kind='= ' ;;
    delete) kind='= -f --force' ;;
    gpu-detect) kind='= -b --bundle --spec --container' ;;
    gpu-thaw) kind='= ' ;;
    explain) kind='= ' ;;
    doctor) kind='= --fix-hints' ;;
    completion) kind='= ' ;;
    *) kind='=' ;;
  esac
  kind+=' --version -h --help --runtime --runtime-path --root --runtime-arg --platform --cuda-checkpoint --store --config --log --log-format --log-max --timeout --dry-run --json -q --quiet --no-progress --progress-fd -v --verbose'
}

# What an option of a command takes, or its Nth argument; empty for a switch.
_ckpt_kind() {
  case "$1 $2" in
    *' --runtime') kind='runtimes' ;;
    *' --runtime-path') kind='file' ;;
    *' --root') kind='directory' ;;
    *' --runtime-arg') kind='any' ;;
    *' --platform') kind='any' ;;
    *' --cuda-checkpoint') kind='file' ;;
    *' --store') kind='directory' ;;
    *' --config') kind='file' ;;
    *' --log') kind='file' ;;
    *' --log-format') kind='= text json' ;;
    *' --log-max') kind='any' ;;
    *' --timeout') kind='any' ;;
    *' --progress-fd') kind='any' ;;
    'run -b' | 'run --bundle') kind='directory' ;;
    'run --pid-file') kind='file' ;;
    'run --log-path') kind='file' ;;
    'run --console-socket') kind='file' ;;
    'run --device') kind='devices' ;;
    'run --cdi-spec-dir') kind='directory' ;;
    'run --stdio') kind='= log inherit' ;;
    'run 1') kind='any' ;;
    'checkpoint --image-path') kind='directory' ;;
    'checkpoint --work-path' | 'checkpoint --work-dir') kind='directory' ;;
    'checkpoint --tcp') kind='= keep close auto' ;;
    'checkpoint --engine') kind='= criu cedana' ;;
    'checkpoint --manage-cgroups-mode') kind='= soft full strict ignore' ;;
    'checkpoint --network-lock') kind='= iptables nftables skip' ;;
    'checkpoint --empty-ns') kind='any' ;;
    'checkpoint --compression') kind='= none flate-best-speed zstd auto' ;;
    'checkpoint --pre-copy=') kind='= auto' ;;
    'checkpoint --cuda') kind='= auto native plugin manual off' ;;
    'checkpoint --cuda-timeout') kind='any' ;;
    'checkpoint --keep-last') kind='any' ;;
    'checkpoint --keep-within') kind='any' ;;
    'checkpoint --max-bytes') kind='any' ;;
    'checkpoint --min-free') kind='any' ;;
    'checkpoint --if-busy') kind='= fail wait skip' ;;
    'checkpoint --if-not-running') kind='= fail skip' ;;
    'checkpoint --retries') kind='any' ;;
    'checkpoint --splay') kind='any' ;;
    'checkpoint --push') kind='any' ;;
    'checkpoint --authfile') kind='file' ;;
    'checkpoint --rclone-config') kind='file' ;;
    'checkpoint --tls-verify') kind='= true false' ;;
    'checkpoint --metrics-file') kind='file' ;;
    'checkpoint --manager') kind='= docker containerd podman crio none' ;;
    'checkpoint --filter') kind='any' ;;
    'checkpoint '[1-9]*) kind='containers' ;;
    'restore --image-path') kind='directory' ;;
    'restore --from') kind='images' ;;
    'restore --authfile') kind='file' ;;
    'restore --rclone-config') kind='file' ;;
    'restore --tls-verify') kind='= true false' ;;
    'restore -b' | 'restore --bundle') kind='directory' ;;
    'restore --spec') kind='any' ;;
    'restore --map-mount') kind='any' ;;
    'restore --hostname') kind='any' ;;
    'restore --work-path' | 'restore --work-dir') kind='directory' ;;
    'restore --pid-file') kind='file' ;;
    'restore --log-path') kind='file' ;;
    'restore --console-socket') kind='file' ;;
    'restore --tcp') kind='= keep close auto' ;;
    'restore --manage-cgroups-mode') kind='= soft full strict ignore' ;;
    'restore --network-lock') kind='= iptables nftables skip' ;;
    'restore --empty-ns') kind='any' ;;
    'restore --lsm-profile') kind='any' ;;
    'restore --lsm-mount-context') kind='any' ;;
    'restore --engine') kind='= criu cedana' ;;
    'restore --cuda') kind='= auto native plugin manual off' ;;
    'restore --gpu-map') kind='any' ;;
    'restore --probe') kind='any' ;;
    'restore --probe-timeout') kind='any' ;;
    'restore --manager') kind='= docker containerd podman crio none' ;;
    'restore --filter') kind='any' ;;
    'restore '[1-9]*) kind='saved' ;;
    'list --manager') kind='= docker containerd podman crio none' ;;
    'list --filter') kind='any' ;;
    'images --keep-last') kind='any' ;;
    'images --keep-within') kind='any' ;;
    'images --max-bytes') kind='any' ;;
    'images --min-free') kind='any' ;;
    'images --html') kind='file' ;;
    'images --archive') kind='file' ;;
    'images --compression') kind='= none zstd' ;;
    'images --id') kind='any' ;;
    'images --authfile') kind='file' ;;
    'images --rclone-config') kind='file' ;;
    'images --tls-verify') kind='= true false' ;;
    'images 1') kind='= list inspect verify pin remove prune export import push pull' ;;
    'images '[1-9]*) kind='names' ;;
    'state 1') kind='containers' ;;
    'wait 1') kind='containers' ;;
    'logs 1') kind='containers' ;;
    'exec --cwd') kind='any' ;;
    'exec -u' | 'exec --user') kind='any' ;;
    'exec -e' | 'exec --env') kind='any' ;;
    'exec --pid-file') kind='file' ;;
    'exec --preserve-fds') kind='any' ;;
    'exec 1') kind='containers' ;;
    'kill 1') kind='containers' ;;
    'kill 2') kind='= TERM KILL INT HUP QUIT USR1 USR2 STOP CONT' ;;
    'pause '[1-9]*) kind='containers' ;;
    'resume '[1-9]*) kind='containers' ;;
    'delete 1') kind='containers' ;;
    'gpu-detect -b' | 'gpu-detect --bundle') kind='directory' ;;
    'gpu-detect --spec') kind='file' ;;
    'gpu-detect --container') kind='containers' ;;
    'gpu-thaw 1') kind='containers' ;;
    'explain 1') kind='file' ;;
    'completion 1') kind='= bash zsh fish' ;;
    *) kind='' ;;
  esac
}

# Notes an option of the line that says where containers and checkpoints are.
_ckpt_note() {
  case $1 in
    --runtime | --runtime-path | --root | --store | --config | --cdi-spec-dir) where+=("$1=$2") ;;
  esac
}

# Replies with the lines of its input that begin with what is typed; nothing of them is expanded.
_ckpt_reply() {
  local one
  while IFS= read -r one; do
    if [[ -n $one && $one == "$value"* ]]; then COMPREPLY+=("${lead}$one"); fi
  done
}

_ckpt_offer() {
  case $kind in
    '= '*) _ckpt_reply < <(tr ' ' '\n' <<<"${kind#= }") ;;
    directory) compopt -o dirnames 2>/dev/null ;;
    file) compopt -o default 2>/dev/null ;;
    any | '') ;;
    *) _ckpt_reply < <(command ckpt __complete "$kind" ${action:+"$action"} "${where[@]}" 2>/dev/null </dev/null) ;;
  esac
}

_ckpt() {
  local line=${COMP_LINE:0:COMP_POINT} verb='' action='' pending='' kind='' lead='' value cur word breaks begun
  local -i count=0 i
  local -a words where=()
  COMPREPLY=()
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(''); fi
  cur=${words[-1]} value=$cur
  for word in "${words[@]:1:${#words[@]}-2}"; do
    if [[ -n $pending ]]; then
      _ckpt_note "$pending" "$word"
      pending=''
      continue
    fi
    case $word in
      --)
        compopt -o default 2>/dev/null
        return
        ;;
      --*=*) _ckpt_note "${word%%=*}" "${word#*=}" ;;
      -*)
        _ckpt_kind "$verb" "$word"
        if [[ -n $kind ]]; then pending=$word; fi
        ;;
      *)
        if [[ -z $verb ]]; then
          verb=$word
        else
          if [[ $count -eq 0 ]]; then action=$word; fi
          count+=1
        fi
        ;;
    esac
  done
  kind=''
  if [[ -n $pending ]]; then
    _ckpt_kind "$verb" "$pending"
  elif [[ $cur == --*=* ]]; then
    lead=${cur%%=*}= value=${cur#*=}
    _ckpt_kind "$verb" "${lead%=}"
    if [[ -z $kind ]]; then _ckpt_kind "$verb" "$lead"; fi
  elif [[ $cur == -* ]]; then
    _ckpt_options "$verb"
  elif [[ -z $verb ]]; then
    kind=$_ckpt_verbs
  else
    _ckpt_kind "$verb" "$((count + 1))"
  fi
  _ckpt_offer
  # bash itself begins a word behind each of its word breaks, and wants the rest from there.
  breaks=${COMP_WORDBREAKS//[[:space:]\"\']/}
  begun=${cur%"${cur##*["$breaks"]}"}
  begun=${begun%@} # which it takes as part of the word behind
  for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do COMPREPLY[i]=${COMPREPLY[i]#"$begun"}; done
}

complete -F _ckpt ckpt
