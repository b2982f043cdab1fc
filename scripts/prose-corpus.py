#!/usr/bin/env python3
"""Gathers a corpus of English documentation from source packages on PyPI, by name and version.

    python3 scripts/prose-corpus.py ~/prose

Needs nothing but Python. Every package's digest is the one that the index states; what is kept are the texts of its
documentation (.rst, .txt, .md), as they are, in a folder of the package's name. Packages that are there already are
not fetched again.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import urllib.request

# Documentation that is mostly written by hand, in sentences.
PACKAGES = {
    "Django": "5.2.1", "SQLAlchemy": "2.0.41", "scikit-learn": "1.6.1", "numpy": "2.2.6", "scipy": "1.15.3",
    "matplotlib": "3.10.3", "sympy": "1.14.0", "Sphinx": "8.2.3", "astropy": "7.1.0", "Twisted": "24.11.0",
    "celery": "5.5.2", "pytest": "8.3.5", "networkx": "3.4.2", "xarray": "2025.4.0", "dask": "2025.5.1",
    "statsmodels": "0.14.4", "mercurial": "7.0.2", "pip": "25.1.1", "setuptools": "80.9.0", "tornado": "6.5.1",
    "aiohttp": "3.12.0", "pyramid": "2.0.2", "Werkzeug": "3.1.3", "Flask": "3.1.1", "Jinja2": "3.1.6",
    "docutils": "0.21.2", "attrs": "25.3.0", "Cython": "3.1.1", "numba": "0.61.2", "h5py": "3.13.0",
    "scikit-image": "0.25.2", "buildbot": "4.3.0", "salt": "3007.1", "kivy": "2.3.1", "pymongo": "4.13.0",
    "psycopg2": "2.9.10", "beets": "2.3.1",
}
ENDINGS = (".rst", ".txt", ".md")
FOLDERS = {"doc", "docs", "documentation", "docsrc", "source", "help", "helptext"}


def fetch(url, accept="*/*"):
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def source_package(name, version):
    """The bytes of a package's source archive, as the index has it."""
    index = json.loads(fetch(f"https://pypi.org/simple/{name.lower()}/", "application/vnd.pypi.simple.v1+json"))
    wanted = f"{name.lower()}-{version}.tar.gz".replace("-", "_")
    found = [f for f in index["files"] if f["filename"].lower().replace("-", "_") == wanted]
    if not found:
        raise LookupError(f"there is no source archive of {name} {version}")
    archive = fetch(found[0]["url"])
    if hashlib.sha256(archive).hexdigest() != found[0]["hashes"]["sha256"]:
        raise ValueError(f"{name} {version} is not what the index says it is")
    return archive


def texts(archive):
    """Path and bytes of the documentation in an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            parts = member.name.split("/")[1:]
            in_docs = any(part.lower() in FOLDERS for part in parts[:-1])
            if member.isfile() and in_docs and ".." not in parts and member.name.endswith(ENDINGS):
                yield parts, tar.extractfile(member).read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    folder = os.path.expanduser(parser.parse_args().folder)
    os.makedirs(folder, exist_ok=True)
    for name, version in PACKAGES.items():
        target = os.path.join(folder, f"{name}-{version}")
        if os.path.isdir(target):
            continue
        try:
            archive = source_package(name, version)
        except (OSError, LookupError) as error:
            print(f"{name} {version}: left out: {error}")
            continue
        # Under its name only once it is whole.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
            whole, size = os.path.join(temporary, "texts"), 0
            for parts, content in texts(archive):
                path = os.path.join(whole, *parts)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
                size += len(content)
            os.makedirs(whole, exist_ok=True)
            shutil.move(whole, target)
        print(f"{name} {version}: {size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
