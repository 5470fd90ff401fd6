"""Write src/szem/serve/vision/v1.binpb: Google's published protocol of Cloud Vision v1, compiled, without options.

For each new version of the protocol; needs grpcio-tools and a folder with `npm install @google-cloud/vision`:

    python scripts/vision_protos.py NODE_MODULES
"""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

OUT = Path(__file__).resolve().parent.parent / "src" / "szem" / "serve" / "vision" / "v1.binpb"
WANTED = (
    "google/cloud/vision/v1/image_annotator.proto",
    "google/cloud/vision/v1/product_search_service.proto",
    "google/longrunning/operations.proto",
    "google/rpc/error_details.proto",
)
ONLY_OPTIONS = ("google/api/", "google/protobuf/descriptor.proto")  # files that only options need


def compile_protos(modules: Path) -> descriptor_pb2.FileDescriptorSet:
    """The files and what they import, as the compiler gives them."""
    folders = (
        modules / "@google-cloud/vision/build/protos",
        modules / "google-gax/build/protos",
        Path(str(files("grpc_tools"))) / "_proto",
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "all.binpb"
        includes = [f"-I{place}" for place in folders]
        if protoc.main(["protoc", *includes, "--include_imports", f"-o{out}", *WANTED]):
            raise SystemExit("protoc failed")
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def without_options(found: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    """The same messages and services; of the options only that a message is an entry of a map."""
    kept = descriptor_pb2.FileDescriptorSet()
    for file in found.file:
        if file.name.startswith(ONLY_OPTIONS):
            continue
        wanted = [name for name in file.dependency if not name.startswith(ONLY_OPTIONS)]
        del file.dependency[:], file.public_dependency[:], file.extension[:]
        file.dependency.extend(wanted)
        file.ClearField("options")
        for service in file.service:
            service.ClearField("options")
            for method in service.method:
                method.ClearField("options")
        for message in file.message_type:
            _strip(message)
        for enum in file.enum_type:
            _strip_enum(enum)
        kept.file.append(file)
    return kept


def _strip(message: descriptor_pb2.DescriptorProto) -> None:
    if not message.options.map_entry:
        message.ClearField("options")
    for field in message.field:
        field.ClearField("options")
    for enum in message.enum_type:
        _strip_enum(enum)
    for inner in message.nested_type:
        _strip(inner)


def _strip_enum(enum: descriptor_pb2.EnumDescriptorProto) -> None:
    enum.ClearField("options")
    for value in enum.value:
        value.ClearField("options")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    OUT.write_bytes(without_options(compile_protos(Path(sys.argv[1]))).SerializeToString(deterministic=True))
    print(f"{OUT}: {OUT.stat().st_size:,} bytes")
