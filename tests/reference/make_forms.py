"""The same documents in the forms they come in, written by other software, for a comparison by hand:

    pip install pyarrow zstandard
    python3 tests/reference/make_forms.py FOLDER [MEGABYTES]
    for form in FOLDER/*; do
        indhead tokenize specs/quick.toml --json --quiet --set 'tokenizer={kind="bytes"}' \
            --set "dataset={kind=\"text\",path=\"$form\",max_bytes=1_000_000_000_000}" | grep digest
    done

All digests are one.
"""

import gzip, io, json, lzma, os, random, sys, tarfile
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

folder, megabytes = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
os.makedirs(folder, exist_ok=True)
rng = random.Random(0)
words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyzéö", k=rng.randint(2, 9))) for _ in range(20_000)]
weights = [1 / (rank + 1) for rank in range(len(words))]


def document(i):
    sentence = lambda: " ".join(rng.choices(words, weights, k=rng.randint(3, 25))).capitalize() + ". "
    paragraph = lambda: "".join(sentence() for _ in range(rng.randint(1, 9))) + "\n"
    return f"Document {i} <|endoftext|>\n" + "\n".join(paragraph() for _ in range(rng.randint(1, 9))) + "🦀 \u2028"


documents, size = [], 0
while size < megabytes * 1e6:
    documents.append(document(len(documents)))
    size += len(documents[-1].encode())


def tar(members, mode, fmt=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=fmt) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1.5  # a fraction takes an extended header
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def put(name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


texts = [(f"openwebtext/{i:07}-{'é' * (i % 90)}.txt", text.encode()) for i, text in enumerate(documents)]
lines = "".join(json.dumps({"meta": {"i": i}, "text": text}, ensure_ascii=i % 2 == 0) + "\n"
                for i, text in enumerate(documents)).encode()
put("a.jsonl", lines)
put("b.jsonl.gz", gzip.compress(lines[: len(lines) // 2]) + gzip.compress(lines[len(lines) // 2 :]))
frames = [zstandard.ZstdCompressor().compress(lines[i : i + 300_000]) for i in range(0, len(lines), 300_000)]
put("c.jsonl.zst", b"".join(frames))
put("d.tar", tar(texts, "w"))
put("e.tar.gz", tar(texts, "w:gz", tarfile.GNU_FORMAT))
put("f.tar.xz", tar(texts, "w:xz"))
put("g.tar.zst", zstandard.ZstdCompressor().compress(tar(texts, "w", tarfile.GNU_FORMAT)))
subsets = [(f"openwebtext/urlsf_subset{i:02}-{i}_data.xz", tar(texts[i : i + 100], "w:xz"))
           for i in range(0, len(texts), 100)]
put("h.openwebtext.tar.xz", tar(subsets, "w:xz"))
table = pa.table({"id": list(range(len(documents))), "text": documents})
pq.write_table(table, os.path.join(folder, "i.parquet"), compression="snappy", row_group_size=300)
pq.write_table(table, os.path.join(folder, "j.parquet"), compression="zstd", data_page_version="2.0")
large = table.set_column(1, "text", pa.array(documents, pa.large_string()))
pq.write_table(large, os.path.join(folder, "k.parquet"), use_dictionary=False)
for name, data in [("l.arrow", table), ("m.arrow", large)]:
    with pa.OSFile(os.path.join(folder, name), "wb") as sink, pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=100)
print(f"{len(documents)} documents, {size} bytes")
