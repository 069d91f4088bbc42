"""Write a float32 copy of a GGUF model, for exact comparisons.

llama.cpp multiplies quantized matrices with quantized activations; in a float32 copy it does not,
so what remains of a difference to another implementation is a difference of the computation.

    python -m tests.model_files.dequantize IN.gguf OUT.gguf
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import LlamaFileType
from gguf.quants import dequantize

from lager_lite.backbones.header import read_header


def write_float32(source: str | Path, target: str | Path) -> Path:
    """Copy a GGUF file of one part with every tensor dequantized to float32; return the new path."""
    header = read_header(source)
    writer = GGUFWriter(str(target), str(header.get("general.architecture")))
    for key, entry in header.entries.items():
        if key in ("general.architecture", "general.file_type"):
            continue
        if entry.value is None:
            writer.add_array(key, list(header.array(key)))
        else:
            writer.add_key_value(key, entry.value, GGUFValueType(entry.item))
    writer.add_file_type(LlamaFileType.ALL_F32)
    for tensor in GGUFReader(str(source)).tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(target)


def main() -> None:
    """Command line: `python -m tests.model_files.dequantize IN.gguf OUT.gguf`."""
    parser = argparse.ArgumentParser(description="Write a float32 copy of a GGUF model.")
    parser.add_argument("source", metavar="IN.gguf")
    parser.add_argument("target", metavar="OUT.gguf")
    args = parser.parse_args()
    print(write_float32(args.source, args.target))


if __name__ == "__main__":
    main()
