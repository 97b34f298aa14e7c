#!/usr/bin/env bats
# images inspect over real images: what was in the container is what it says; of gVisor's, only what ckpt itself knows.
# shellcheck disable=SC2016,SC2034,SC2154 # conditions and jq programs for later; variables of helpers.bash

load helpers

# inspected ARGUMENT...: the payload in that mode, checkpointed; $DOCUMENT is what inspect says of it.
inspected() {
  bundle "bundle-$1" /bin/payload "$@"
  launch "$ID"
  await '(($(count) > 5))'
  IMAGE=$(ckpt checkpoint "$ID")
  DOCUMENT=$T/document
  ckpt images inspect --json "$IMAGE" >"$DOCUMENT"
  manifest_is_there
  ckpt images inspect "$IMAGE" >"$T/text"
  if [[ $KIND == runsc ]]; then opaque; fi
}

# has JQ-CONDITION...: each holds for the document.
has() {
  local condition
  for condition in "$@"; do
    jq -e "$condition" "$DOCUMENT" >/dev/null || fail "not so: $condition" "$(jq -c 'del(.files)' "$DOCUMENT")"
  done
}

manifest_is_there() {
  has ".name == \"$IMAGE\"" ".manifest.id == \"$ID\"" ".manifest.runtime.name == \"$KIND\"" \
    '.manifest.runtime.version != ""' '.manifest.kernel != ""' '.manifest.guarantee != ""' \
    '.bytes == ([.files[].bytes] | add)' '.files[0].bytes == ([.files[].bytes] | max)'
}

# The honest answer.
opaque() {
  has '.contents == null' '.not_decoded | startswith("gVisor'\''s image cannot be decoded")'
  grep -q "gVisor's image cannot be decoded" "$T/text"
  grep -q '^container  *'"$ID" "$T/text"
}

@test "a tree of processes with threads" {
  COUNT=$DATA/0.0
  inspected threads 3 /data
  [[ $KIND != runsc ]] || return 0
  has '.not_decoded == null' '[.contents.processes[] | [.ppid, .comm]] == [[0,"payload"],[1,"payload"],[1,"payload"]]' \
    '.contents.processes[0].pid == 1' \
    '[.contents.processes[].threads | length] == [1,4,4]' 'all(.contents.processes[]; .pid == .threads[0])' \
    'any(.contents.processes[0].mappings[]; .kind == "stack")' \
    'any(.contents.processes[0].mappings[]; .path == "/bin/payload" and .protection == "r-xp")' \
    'all(.contents.processes[]; [.descriptors[].fd][:3] == [0,1,2])' # and at times the file of a thread's number
  [[ $(grep -c '^[0-9]*  *1  *4  *[3-6] .*   payload$' "$T/text") -eq 2 ]]
}

@test "64 MB of memory, and the mapping that they are in" {
  COUNT=$DATA/digest
  inspected memory 64 /data/digest
  [[ $KIND != runsc ]] || return 0
  has '.contents.processes[0].memory.in_image | . >= 67108864 and . < 69206016' \
    '.contents.processes[0].memory | .mapped > .in_image' \
    '[.contents.processes[0].mappings[] | select(.in_image >= 67108864)] | length == 1 and .[0].kind == "anonymous"' \
    '.files[0].path | endswith("pages-1.img")' \
    '([.contents.processes[].memory.in_image] | add) == .files[0].bytes'
  grep -q '67.1 MB  *67.1 MB  *anonymous' "$T/text"
}

@test "a listening socket" {
  if [[ $KIND != runsc ]] && ! listeners_can_be_dumped; then skip "this CRIU dumps no TCP socket on this kernel"; fi
  COUNT=$DATA/count
  inspected tcp-listen /data/count
  [[ $KIND != runsc ]] || return 0
  has '.contents.sockets | length == 1' '.contents.sockets[0].open_by == [{"pid":1,"fd":3}]' \
    '.contents.sockets[0] | [.family, .type, .protocol, .state, .remote] == ["inet","stream","tcp","listen",null]' \
    '.contents.sockets[0].local | test("^127[.]0[.]0[.]1:[0-9]+$")'
  grep -q '^1:3 .*inet tcp  *listen  *127.0.0.1:' "$T/text"
}
# CRIU 4.1 on Linux 6.16 and newer does not.
listeners_can_be_dumped() { [[ $("$(program criu)" --version) != *" 4.1"* ]]; }

@test "a deleted file, its size, and the bind mount that it was in" {
  [[ $WANTED != runsc-2024 ]] || skip "cannot save a deleted file of the host"
  COUNT=$DATA/count
  inspected deleted /data 3
  [[ $KIND != runsc ]] || return 0
  has '[.contents.open_files[] | select(.deleted)] | length == 1 and .[0].path == "/data/deleted" and .[0].bytes == 3145728 and .[0].flags == "O_RDWR" and .[0].open_by == [{"pid":1,"fd":3}]' \
    '(.contents.mounts[] | select(.mountpoint == "/data")) as $mount | $mount.external == "/data" and any(.contents.open_files[]; .deleted and .mount == $mount.id)' \
    '.contents.mounts[0].mountpoint == "/"'
  grep -q '^1:3  *3.1 MB  *O_RDWR  */data/deleted (deleted)$' "$T/text"
}

@test "a log that may grow has no size to compare, another file has" {
  COUNT=$DATA/lines
  count() { wc -l <"$DATA/${1:-log}" 2>/dev/null || echo 0; }
  inspected growlog /data/log
  [[ $KIND == runsc ]] || has '.contents.open_files[] | select(.path == "/data/log") | .bytes == null and .flags == "O_WRONLY|O_APPEND"'
  ckpt delete --force "$ID"
  rm "$DATA/log"
  inspected rewrite /data/log
  [[ $KIND == runsc ]] || has ".contents.open_files[] | select(.path == \"/data/log\") | .bytes == $(stat -c %s "$DATA/log") and .flags == \"O_RDWR\""
}

@test "an image without our manifest, and a damaged one" {
  local images
  COUNT=$DATA/count
  inspected counter /data/count
  images=$STORE/checkpoints/$ID/${IMAGE#*@}/checkpoint
  DOCUMENT=$T/bare
  ckpt images inspect --json "$images" >"$DOCUMENT"
  has '.manifest == null' ".path == \"$images\"" '.files | length > 0'
  if [[ $KIND == runsc ]]; then has '.contents == null' && return 0; fi
  has '.contents.processes[0].comm == "payload"'
  truncate -s -1 "$images/mm-1.img"
  ends_with 7 ckpt images inspect "$IMAGE"
  says "mm-1.img' is damaged"
}

# sum COLUMN: of the exact numbers of that column of the page's mappings
sum() {
  python3 - "$1" "$T/page.html" <<'PYTHON'
import html.parser, sys

class Mappings(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.caption = self.row = None
        self.columns, self.total, self.text = [], 0, None

    def handle_starttag(self, tag, attributes):
        self.text = ""
        if tag == "table": self.columns = []
        if tag == "tr": self.row = -1
        if tag == "td": self.row += 1
        if tag == "data" and self.caption == "Mappings" and self.columns[self.row] == sys.argv[1]:
            self.total += int(dict(attributes)["value"])

    def handle_data(self, data):
        self.text = (self.text or "") + data

    def handle_endtag(self, tag):
        if tag == "caption": self.caption = self.text
        if tag == "th": self.columns.append(self.text)

page = Mappings()
page.feed(open(sys.argv[2]).read())
print(page.total)
PYTHON
}

@test "a page: the processes by name, one of them hostile, and what their mappings sum to" {
  local first hostile='<script>alert()'
  COUNT=$DATA/digest
  bundle bundle "/bin/$hostile" memory 8 /data/digest
  cp "$SUITE/payload" "$BUNDLE/rootfs/bin/$hostile"
  launch "$ID"
  await '(($(count) > 2))'
  first=$(ckpt checkpoint --leave-running "$ID")
  IMAGE=$(ckpt checkpoint "$ID")
  DOCUMENT=$T/document
  ckpt images inspect --json --html "$T/page.html" "$IMAGE" >"$DOCUMENT"
  [[ $(stat -c %a "$T/page.html") == 600 ]]
  grep -q "<h1>$IMAGE</h1>" "$T/page.html"
  grep -q "From $first to $IMAGE" "$T/page.html"
  if grep '<script' "$T/page.html"; then fail "it is markup"; fi
  if [[ $KIND == runsc ]]; then grep -q 'gVisor&#39;s image cannot be decoded' "$T/page.html" && return; fi
  grep -qF '<td>&lt;script&gt;alert()</td>' "$T/page.html"
  [[ $(sum 'In the image') -gt 8388608 && $(sum 'In the image') -eq $(jq '[.contents.processes[].memory.in_image] | add' "$DOCUMENT") ]]
  [[ $(sum Mapped) -eq $(jq '[.contents.processes[].memory.mapped] | add' "$DOCUMENT") ]]
}
