# fish completion for ckpt. Made by 'ckpt completion fish'; not edited by hand.

# The words before the cursor: __ckpt_words without options, __ckpt_where the options that say where to look.
function __ckpt_read
    set -g __ckpt_words
    set -g __ckpt_where
    set -g __ckpt_payload 0
    set -l pending
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test -n "$pending"
            __ckpt_note $pending=$token
            set pending
            continue
        end
        switch $token
            case --
                set __ckpt_payload 1
                return
            case '--*=*'
                __ckpt_note $token
            case --archive --authfile --bundle --cdi-spec-dir --compression --config --console-socket --container --cuda --cuda-checkpoint --cuda-timeout --cwd --device --empty-ns --engine --env --filter --from --gpu-map --hostname --html --id --if-busy --if-not-running --image-path --keep-last --keep-within --log --log-format --log-max --log-path --lsm-mount-context --lsm-profile --manage-cgroups-mode --manager --map-mount --max-bytes --metrics-file --min-free --network-lock --pid-file --platform --preserve-fds --probe --probe-timeout --progress-fd --push --rclone-config --retries --root --runtime --runtime-arg --runtime-path --spec --splay --stdio --store --tcp --timeout --tls-verify --user --work-dir --work-path -b -e -u
                set pending $token
            case '-*'
            case '*'
                set -a __ckpt_words $token
        end
    end
end

function __ckpt_note
    switch $argv[1]
        case '--runtime=*' '--runtime-path=*' '--root=*' '--store=*' '--config=*' '--cdi-spec-dir=*'
            set -a __ckpt_where $argv[1]
    end
end

# Whether the line has no command yet; whether it is VERB [and its Nth argument, or a later one, is to come].
function __ckpt_no_verb
    __ckpt_read
    test $__ckpt_payload = 0 -a (count $__ckpt_words) = 0
end

function __ckpt_at
    __ckpt_read
    test $__ckpt_payload = 0 -a "$__ckpt_words[1]" = $argv[1]; or return
    test (count $argv) = 1; and return
    test (count $__ckpt_words) = $argv[2]; and return
    test (count $argv) = 3 -a (count $__ckpt_words) -ge $argv[2]
end

function __ckpt_in_payload
    __ckpt_read
    test $__ckpt_payload = 1
end

function __ckpt_live
    __ckpt_read
    set -l action $__ckpt_words[2]
    test $argv[1] = names; or set action
    command ckpt __complete $argv $action $__ckpt_where 2>/dev/null </dev/null
end

complete -c ckpt -f
complete -c ckpt -n __ckpt_in_payload -F

complete -c ckpt -l version -d 'show the version'
complete -c ckpt -s h -l help -d 'show this help'
complete -c ckpt -l runtime -x -a '(__ckpt_live runtimes)' -d 'runc, crun, runsc or auto'
complete -c ckpt -l runtime-path -r -F -d 'the runtime\'s program'
complete -c ckpt -l root -x -a '(__fish_complete_directories)' -d 'the runtime\'s state directory'
complete -c ckpt -l runtime-arg -x -d 'global flag for the runtime, repeatable'
complete -c ckpt -l platform -x -d 'runsc\'s platform'
complete -c ckpt -l cuda-checkpoint -r -F -d 'the program that freezes CUDA processes'
complete -c ckpt -l store -x -a '(__fish_complete_directories)' -d 'where checkpoints are kept (default: /var/lib/ckpt)'
complete -c ckpt -l config -r -F -d 'configuration file (default: /etc/ckpt/ckpt.toml)'
complete -c ckpt -l log -r -F -d 'file for ckpt\'s own messages'
complete -c ckpt -l log-format -x -a 'text json' -d 'text or json'
complete -c ckpt -l log-max -x -d 'what a container\'s log takes of the disk at most: 64M; 0 for no limit'
complete -c ckpt -l timeout -x -d 'limit of one long step: 30s, 5m; 0 for none'
complete -c ckpt -l dry-run -d 'print the commands that would change something'
complete -c ckpt -l json -d 'machine-readable output and errors'
complete -c ckpt -s q -l quiet -d 'only data and errors'
complete -c ckpt -l no-progress -d 'no progress display'
complete -c ckpt -l progress-fd -x -d 'descriptor for the progress of long steps, as JSON lines'
complete -c ckpt -s v -l verbose -d 'say what is run'

complete -c ckpt -n __ckpt_no_verb -a run -d 'create and start a container from a bundle'
complete -c ckpt -n '__ckpt_at run' -s b -l bundle -x -a '(__fish_complete_directories)' -d 'directory with config.json and the root file system (default: .)'
complete -c ckpt -n '__ckpt_at run' -s d -l detach -d 'return when it runs; its output goes to its log'
complete -c ckpt -n '__ckpt_at run' -l pid-file -r -F -d 'file to write the container\'s pid to'
complete -c ckpt -n '__ckpt_at run' -l log-path -r -F -d 'file for the container\'s output'
complete -c ckpt -n '__ckpt_at run' -l console-socket -r -F -d 'unix socket that receives the terminal'
complete -c ckpt -n '__ckpt_at run' -l device -x -a '(__ckpt_live devices)' -d 'device by its CDI name, as nvidia.com/gpu=0; repeatable'
complete -c ckpt -n '__ckpt_at run' -l cdi-spec-dir -x -a '(__fish_complete_directories)' -d 'where CDI specifications are; repeatable (default: /etc/cdi, /var/run/cdi)'
complete -c ckpt -n '__ckpt_at run' -l stdio -x -a 'log inherit' -d 'its streams: kept in its log, or the caller\'s own (default: log)'
complete -c ckpt -n '__ckpt_at run' -l overlay -d 'what it writes to its root file system goes to a layer of its own'
complete -c ckpt -n '__ckpt_at run' -l no-pivot -d 'without pivot_root, for a root on a ramdisk'

complete -c ckpt -n __ckpt_no_verb -a checkpoint -d 'save running containers'
complete -c ckpt -n '__ckpt_at checkpoint' -l image-path -x -a '(__fish_complete_directories)' -d 'directory for the images, absent or empty (default: a new one in the store)'
complete -c ckpt -n '__ckpt_at checkpoint' -l work-path -l work-dir -x -a '(__fish_complete_directories)' -d 'directory for CRIU\'s logs (default: the checkpoint\'s)'
complete -c ckpt -n '__ckpt_at checkpoint' -l leave-running -d 'let the container go on afterwards'
complete -c ckpt -n '__ckpt_at checkpoint' -l tcp-established -l allow-open-tcp -d 'save established TCP connections'
complete -c ckpt -n '__ckpt_at checkpoint' -l tcp -x -a 'keep close auto' -d 'what shall become of TCP connections at a restore'
complete -c ckpt -n '__ckpt_at checkpoint' -l skip-in-flight -l tcp-skip-in-flight -d 'leave out TCP connections not yet accepted'
complete -c ckpt -n '__ckpt_at checkpoint' -l link-remap -d 'save deleted files that have another name'
complete -c ckpt -n '__ckpt_at checkpoint' -l file-locks -d 'save file locks (chosen by itself when there are any)'
complete -c ckpt -n '__ckpt_at checkpoint' -l ext-unix-sk -d 'allow unix sockets connected outside'
complete -c ckpt -n '__ckpt_at checkpoint' -l shell-job -d 'allow a terminal of the host as stdio'
complete -c ckpt -n '__ckpt_at checkpoint' -l engine -x -a 'criu cedana' -d 'who dumps: the runtime with CRIU, or Cedana (runc only; default: criu)'
complete -c ckpt -n '__ckpt_at checkpoint' -l manage-cgroups-mode -x -a 'soft full strict ignore' -d 'what CRIU does with cgroups'
complete -c ckpt -n '__ckpt_at checkpoint' -l network-lock -x -a 'iptables nftables skip' -d 'how CRIU keeps packets out meanwhile'
complete -c ckpt -n '__ckpt_at checkpoint' -l empty-ns -x -d 'save the namespace without what is in it'
complete -c ckpt -n '__ckpt_at checkpoint' -l compression -x -a 'none flate-best-speed zstd auto' -d 'of the image; zstd:LEVEL with a level of 1 to 19'
complete -c ckpt -n '__ckpt_at checkpoint' -l pre-copy -a 'auto' -d '=N: dump memory while it runs, then only what changed'
complete -c ckpt -n '__ckpt_at checkpoint' -l cuda -x -a 'auto native plugin manual off' -d 'how CUDA processes are frozen (default: auto)'
complete -c ckpt -n '__ckpt_at checkpoint' -l cuda-timeout -x -d 'how long to wait for the GPU\'s current work (default: 10s)'
complete -c ckpt -n '__ckpt_at checkpoint' -l keep-last -x -d 'keep the newest N checkpoints of a container'
complete -c ckpt -n '__ckpt_at checkpoint' -l keep-within -x -d 'keep those that are younger'
complete -c ckpt -n '__ckpt_at checkpoint' -l max-bytes -x -d 'remove the oldest until the rest has at most SIZE'
complete -c ckpt -n '__ckpt_at checkpoint' -l min-free -x -d 'remove the oldest until the store\'s file system has that free'
complete -c ckpt -n '__ckpt_at checkpoint' -l if-busy -x -a 'fail wait skip' -d 'when another ckpt works on it'
complete -c ckpt -n '__ckpt_at checkpoint' -l if-not-running -x -a 'fail skip' -d 'when it does not exist or does not run'
complete -c ckpt -n '__ckpt_at checkpoint' -l retries -x -d 'try again up to N times when the runtime or CRIU fails'
complete -c ckpt -n '__ckpt_at checkpoint' -l splay -x -d 'begin after a random part of it'
complete -c ckpt -n '__ckpt_at checkpoint' -l push -x -d 'then send it to oci:DIR, docker://REGISTRY/NAME:TAG or rclone:REMOTE:PATH'
complete -c ckpt -n '__ckpt_at checkpoint' -l authfile -r -F -d 'with --push: skopeo\'s credentials'
complete -c ckpt -n '__ckpt_at checkpoint' -l rclone-config -r -F -d 'with --push: rclone\'s remotes and credentials'
complete -c ckpt -n '__ckpt_at checkpoint' -l tls-verify -x -a 'true false' -d 'with --push: false for a registry or server without TLS, or whose certificate is not known'
complete -c ckpt -n '__ckpt_at checkpoint' -l metrics-file -r -F -d 'write metrics there, for Prometheus\' node exporter'
complete -c ckpt -n '__ckpt_at checkpoint' -l check -d 'say all that would fail, and change nothing'
complete -c ckpt -n '__ckpt_at checkpoint' -l force -d 'take it although it could not be saved, or restored on this host'
complete -c ckpt -n '__ckpt_at checkpoint' -l explain-flags -d 'say what ckpt chose by itself, and why'
complete -c ckpt -n '__ckpt_at checkpoint' -l all -d 'every container that runs, as \'ckpt list\' shows them'
complete -c ckpt -n '__ckpt_at checkpoint' -l manager -x -a 'docker containerd podman crio none' -d 'only containers of this engine; none: of no engine'
complete -c ckpt -n '__ckpt_at checkpoint' -l filter -x -d 'only those: id, name, status, namespace, pod or container =VALUE; repeatable'
complete -c ckpt -n '__ckpt_at checkpoint 1 more' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a restore -d 'bring a container back from a checkpoint'
complete -c ckpt -n '__ckpt_at restore' -l image-path -x -a '(__fish_complete_directories)' -d 'directory with the images'
complete -c ckpt -n '__ckpt_at restore' -l from -x -a '(__ckpt_live images)' -d 'checkpoint in the store: ID@latest, ID@TIMESTAMP; or pulled from oci:, docker:// or rclone:'
complete -c ckpt -n '__ckpt_at restore' -l authfile -r -F -d 'with --from of a far store: skopeo\'s credentials'
complete -c ckpt -n '__ckpt_at restore' -l rclone-config -r -F -d 'with --from of a far store: rclone\'s remotes and credentials'
complete -c ckpt -n '__ckpt_at restore' -l tls-verify -x -a 'true false' -d 'with --from of a far store: false for a registry or server without TLS, or whose certificate is not known'
complete -c ckpt -n '__ckpt_at restore' -l trust-spec -d 'with --from of a far store: its configuration may be used, with mounts, devices and hooks'
complete -c ckpt -n '__ckpt_at restore' -s b -l bundle -x -a '(__fish_complete_directories)' -d 'bundle to restore into (default: the one of the checkpoint)'
complete -c ckpt -n '__ckpt_at restore' -l spec -x -d 'restore into the specification of a new container'
complete -c ckpt -n '__ckpt_at restore' -l map-mount -x -d 'another source: OLD=NEW, OLD a mount\'s destination or the beginning of its source; repeatable'
complete -c ckpt -n '__ckpt_at restore' -l hostname -x -d 'another hostname, when it runs again'
complete -c ckpt -n '__ckpt_at restore' -l work-path -l work-dir -x -a '(__fish_complete_directories)' -d 'directory for CRIU\'s logs'
complete -c ckpt -n '__ckpt_at restore' -s d -l detach -d 'return when it runs again'
complete -c ckpt -n '__ckpt_at restore' -l pid-file -r -F -d 'file to write the container\'s pid to'
complete -c ckpt -n '__ckpt_at restore' -l log-path -r -F -d 'file for the container\'s output (default: its log goes on)'
complete -c ckpt -n '__ckpt_at restore' -l console-socket -r -F -d 'unix socket that receives the terminal'
complete -c ckpt -n '__ckpt_at restore' -l tcp-established -l allow-open-tcp -d 'restore established TCP connections'
complete -c ckpt -n '__ckpt_at restore' -l tcp-close -d 'restore TCP sockets closed'
complete -c ckpt -n '__ckpt_at restore' -l tcp -x -a 'keep close auto' -d 'what becomes of TCP connections (default: as the checkpoint did)'
complete -c ckpt -n '__ckpt_at restore' -l link-remap -d 'the image has deleted files that had another name'
complete -c ckpt -n '__ckpt_at restore' -l file-locks -d 'restore file locks'
complete -c ckpt -n '__ckpt_at restore' -l ext-unix-sk -d 'the image has unix sockets connected outside'
complete -c ckpt -n '__ckpt_at restore' -l shell-job -d 'the image has a terminal of the host'
complete -c ckpt -n '__ckpt_at restore' -l manage-cgroups-mode -x -a 'soft full strict ignore' -d 'what CRIU does with cgroups'
complete -c ckpt -n '__ckpt_at restore' -l network-lock -x -a 'iptables nftables skip' -d 'how the checkpoint kept packets out'
complete -c ckpt -n '__ckpt_at restore' -l empty-ns -x -d 'the checkpoint left out what was in the namespace'
complete -c ckpt -n '__ckpt_at restore' -l lsm-profile -x -d 'another security profile than the image\'s'
complete -c ckpt -n '__ckpt_at restore' -l lsm-mount-context -x -d 'another SELinux context of its mounts'
complete -c ckpt -n '__ckpt_at restore' -l no-pivot -d 'without pivot_root, for a root on a ramdisk'
complete -c ckpt -n '__ckpt_at restore' -l engine -x -a 'criu cedana' -d 'who restores: the one that made the image (the default)'
complete -c ckpt -n '__ckpt_at restore' -l cuda -x -a 'auto native plugin manual off' -d 'how CUDA processes are thawed (default: as they were frozen)'
complete -c ckpt -n '__ckpt_at restore' -l gpu-map -x -d 'onto another GPU: OLD=NEW, each an index or a UUID; repeatable'
complete -c ckpt -n '__ckpt_at restore' -l replace -d 'remove a container of that id first'
complete -c ckpt -n '__ckpt_at restore' -l verify-image -d 'read the whole image first and compare its digests'
complete -c ckpt -n '__ckpt_at restore' -l check -d 'compare image and host, print the result, change nothing'
complete -c ckpt -n '__ckpt_at restore' -l verify -d 'prove afterwards that it lives (the default)'
complete -c ckpt -n '__ckpt_at restore' -l no-verify -d 'do not look at it afterwards'
complete -c ckpt -n '__ckpt_at restore' -l probe -x -d 'command that must succeed inside, repeated until it does'
complete -c ckpt -n '__ckpt_at restore' -l probe-timeout -x -d 'for how long (default: 30s)'
complete -c ckpt -n '__ckpt_at restore' -l force -d 'restore although config.json, processor or open files are others'
complete -c ckpt -n '__ckpt_at restore' -l all -d 'every container that a checkpoint stopped, as \'ckpt list --all\' shows them'
complete -c ckpt -n '__ckpt_at restore' -l manager -x -a 'docker containerd podman crio none' -d 'only containers of this engine; none: of no engine'
complete -c ckpt -n '__ckpt_at restore' -l filter -x -d 'only those: id, name, status, namespace, pod or container =VALUE; repeatable'
complete -c ckpt -n '__ckpt_at restore 1 more' -a '(__ckpt_live saved)'

complete -c ckpt -n __ckpt_no_verb -a list -d 'containers of every runtime and root'
complete -c ckpt -n '__ckpt_at list' -s a -l all -d 'also containers that a checkpoint stopped'
complete -c ckpt -n '__ckpt_at list' -l manager -x -a 'docker containerd podman crio none' -d 'only containers of this engine; none: of no engine'
complete -c ckpt -n '__ckpt_at list' -l filter -x -d 'only those: id, name, status, namespace, pod or container =VALUE; repeatable'

complete -c ckpt -n __ckpt_no_verb -a images -d 'list, verify, pin, remove, push and pull checkpoints'
complete -c ckpt -n '__ckpt_at images' -l keep-last -x -d 'keep the newest N checkpoints of a container'
complete -c ckpt -n '__ckpt_at images' -l keep-within -x -d 'keep those that are younger'
complete -c ckpt -n '__ckpt_at images' -l max-bytes -x -d 'remove the oldest until the rest has at most SIZE'
complete -c ckpt -n '__ckpt_at images' -l min-free -x -d 'remove the oldest until the store\'s file system has that free'
complete -c ckpt -n '__ckpt_at images' -l off -d 'with pin: unpin'
complete -c ckpt -n '__ckpt_at images' -s f -l force -d 'with remove: also a pinned one'
complete -c ckpt -n '__ckpt_at images' -l html -r -F -d 'with inspect: write a page of it to FILE, - for stdout'
complete -c ckpt -n '__ckpt_at images' -l archive -r -F -d 'with export: the archive to write, - for stdout'
complete -c ckpt -n '__ckpt_at images' -l compression -x -a 'none zstd' -d 'with export and push: zstd:LEVEL with a level of 1 to 19, for push also what registries call gzip (default: by the archive\'s name, else zstd)'
complete -c ckpt -n '__ckpt_at images' -l id -x -d 'with import and pull: the container\'s id (default: the archive\'s)'
complete -c ckpt -n '__ckpt_at images' -l trust-spec -d 'with import and pull: its configuration may be used, with mounts, devices and hooks'
complete -c ckpt -n '__ckpt_at images' -l authfile -r -F -d 'with push and pull: skopeo\'s credentials'
complete -c ckpt -n '__ckpt_at images' -l rclone-config -r -F -d 'with push and pull: rclone\'s remotes and credentials'
complete -c ckpt -n '__ckpt_at images' -l tls-verify -x -a 'true false' -d 'with push and pull: false for a registry or server without TLS, or whose certificate is not known'
complete -c ckpt -n '__ckpt_at images 1' -a 'list inspect verify pin remove prune export import push pull'
complete -c ckpt -n '__ckpt_at images 2 more' -a '(__ckpt_live names)'

complete -c ckpt -n __ckpt_no_verb -a state -d 'one container, as JSON'
complete -c ckpt -n '__ckpt_at state 1' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a wait -d 'wait for a container to end; exit with its status'
complete -c ckpt -n '__ckpt_at wait 1' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a logs -d 'what a container wrote'
complete -c ckpt -n '__ckpt_at logs' -s f -l follow -d 'go on until the container ends'
complete -c ckpt -n '__ckpt_at logs 1' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a exec -d 'run a command in a container'
complete -c ckpt -n '__ckpt_at exec' -l cwd -x -d 'the directory to run it in, of the container\'s'
complete -c ckpt -n '__ckpt_at exec' -s u -l user -x -d 'as whom: UID or UID:GID'
complete -c ckpt -n '__ckpt_at exec' -s e -l env -x -d 'an environment variable for it: NAME=VALUE; repeatable'
complete -c ckpt -n '__ckpt_at exec' -s t -l tty -d 'give it the terminal of the caller (by itself when there is one)'
complete -c ckpt -n '__ckpt_at exec' -s d -l detach -d 'return when it runs; it has no input and its output is lost'
complete -c ckpt -n '__ckpt_at exec' -l pid-file -r -F -d 'file to write its pid to'
complete -c ckpt -n '__ckpt_at exec' -l preserve-fds -x -d 'hand N more descriptors down, from 3 on'
complete -c ckpt -n '__ckpt_at exec 1' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a kill -d 'send a signal to a container'
complete -c ckpt -n '__ckpt_at kill 1' -a '(__ckpt_live containers)'
complete -c ckpt -n '__ckpt_at kill 2' -a 'TERM KILL INT HUP QUIT USR1 USR2 STOP CONT'

complete -c ckpt -n __ckpt_no_verb -a pause -d 'stop the processes of containers where they are'
complete -c ckpt -n '__ckpt_at pause 1 more' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a resume -d 'let paused containers go on'
complete -c ckpt -n '__ckpt_at resume 1 more' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a delete -d 'remove a container'
complete -c ckpt -n '__ckpt_at delete' -s f -l force -d 'kill it first when it runs; no error when there is none'
complete -c ckpt -n '__ckpt_at delete 1' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a gpu-detect -d 'the host\'s GPUs, or whether a container uses them'
complete -c ckpt -n '__ckpt_at gpu-detect' -s b -l bundle -x -a '(__fish_complete_directories)' -d 'does the container of this directory use GPUs'
complete -c ckpt -n '__ckpt_at gpu-detect' -l spec -r -F -d 'the same of this config.json'
complete -c ckpt -n '__ckpt_at gpu-detect' -l container -x -a '(__ckpt_live containers)' -d 'the same of this container'

complete -c ckpt -n __ckpt_no_verb -a gpu-thaw -d 'bring frozen CUDA processes of a container back'
complete -c ckpt -n '__ckpt_at gpu-thaw 1' -a '(__ckpt_live containers)'

complete -c ckpt -n __ckpt_no_verb -a explain -d 'why a checkpoint or restore failed, from its log'
complete -c ckpt -n '__ckpt_at explain 1' -F

complete -c ckpt -n __ckpt_no_verb -a doctor -d 'what on this host would stop a checkpoint, and what helps'
complete -c ckpt -n '__ckpt_at doctor' -l fix-hints -d 'print only the commands that install what is missing'

complete -c ckpt -n __ckpt_no_verb -a completion -d 'the script that completes ckpt\'s command lines in a shell'
complete -c ckpt -n '__ckpt_at completion 1' -a 'bash zsh fish'
