#!/usr/bin/env bats
# ckpt.json is what its schema and its manual page say.

load helpers
setup() { make_place; }
teardown() { leave_place; }

SOURCE=$BATS_TEST_DIRNAME/../..

# valid FILE: against the schema
valid() {
  python3 - "$SOURCE/images/ckpt-manifest.schema.json" "$1" <<'PYTHON'
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[2])))
PYTHON
}

manifests() { find "$T" -name ckpt.json; }

@test "every manifest is valid against the schema, and the schema is not empty words" {
  local file
  run_container c
  ckpt checkpoint --leave-running --file-locks --manage-cgroups-mode soft c
  ckpt checkpoint --leave-running --pre-copy=2 c
  seq 1 100000 >"$FAKE_DIR/pages"
  ckpt checkpoint --leave-running --compression zstd c
  rm "$FAKE_DIR/pages"
  ckpt checkpoint --image-path "$T/image" c
  runtime=runsc run_container s --platform systrap
  ckpt checkpoint s
  [ "$(manifests | wc -l)" -eq 5 ]
  for file in $(manifests); do valid "$file"; done
  jq '.stray = 1' "$T/image/ckpt.json" >"$T/stray.json"
  run ! valid "$T/stray.json"
  jq 'del(.guarantee)' "$T/image/ckpt.json" >"$T/lacking.json"
  run ! valid "$T/lacking.json"
}

@test "those of imported archives are valid as well" {
  run_container c
  ckpt checkpoint --leave-running c
  ckpt images export --archive c.tar c@latest
  ckpt images import --id ours c.tar
  "$BATS_TEST_DIRNAME/hostile-archives.py" . "$T"
  ckpt images import --id theirs good.tar
  for id in ours theirs; do valid "$STORE"/checkpoints/$id/*/ckpt.json; done
}

@test "the manual page has every member, and no other" {
  local page=$SOURCE/man/ckpt-manifest.5 said
  said=$(sed -n 's/^\.\(It \)\?Va //p' "$page" | tr -d ' .' | tr ',' '\n' | grep -v '^$' | sort -u)
  same "$(jq -r '[.properties | to_entries[] | .key, ((.value, .value.items, (.value.properties // {} | .[] | .items)) |
      objects | .properties // {} | keys[])] | unique[]' "$SOURCE/images/ckpt-manifest.schema.json" | sort -u)" "$said"
}
