# kubernetes-lint.py SCHEMAS FILE...: each document of each FILE is what Kubernetes takes, and has no key that it does
# not know. SCHEMAS is a directory with Kubernetes' own OpenAPI documents, api/v1.json and apis/GROUP/v1.json.
import json
import pathlib
import sys

import jsonschema
import yaml


def closed(node):
    """An object that names its properties has no others, except where it says so itself."""
    if isinstance(node, dict):
        if "properties" in node and "additionalProperties" not in node and "allOf" not in node:
            node["additionalProperties"] = False
        if len(node.get("allOf", [])) == 1:
            node.update(node.pop("allOf")[0])
            node.pop("default", None)
        for value in list(node.values()):
            closed(value)
    elif isinstance(node, list):
        for value in node:
            closed(value)
    return node


def schema_of(schemas, document):
    group, _, version = document["apiVersion"].rpartition("/")
    path = schemas / ("apis/" + group if group else "api") / (version + ".json")
    api = closed(json.loads(path.read_text()))
    kind = {"group": group, "kind": document["kind"], "version": version}
    for name, schema in api["components"]["schemas"].items():
        if kind in schema.get("x-kubernetes-group-version-kind", []):
            return {"$ref": "#/components/schemas/" + name, "components": api["components"]}
    raise SystemExit(f"{path} has no {kind}")


def main(schemas, *files):
    for file in files:
        for document in yaml.safe_load_all(pathlib.Path(file).read_text()):
            jsonschema.Draft4Validator(schema_of(pathlib.Path(schemas), document)).validate(document)
            print(document["kind"], document["metadata"]["name"])


main(*sys.argv[1:])
