"""Archives fetched from where they are published: a Debian package or a tarball on the web."""

import hashlib
import http.client
import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["ArchiveSourceError", "open_debian_package", "open_tarball"]

DOWNLOAD_SECONDS = 900


class ArchiveSourceError(RuntimeError):
    """A source failed; another one may not."""


def open_debian_package(package: str, scratch: Path) -> tarfile.TarFile:
    """Fetches a package with a package list of its own: no password, the system's lists untouched.

    Arguments
    ---------
    package : str
        Its name.
    scratch : Path
        An empty folder.

    Returns
    -------
    tarfile.TarFile
        The files of the package as an open archive.

    Raises
    ------
    ArchiveSourceError
        If there is no ``apt-get``, or it fails.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise ArchiveSourceError(f"there is no {tool} on this machine")
    lists, cache = scratch / "lists", scratch / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    options = {
        "Dir::State::Lists": lists,
        "Dir::Cache": cache,
        "Acquire::Languages": "none",
        "Acquire::Retries": 1,
        "Acquire::http::Timeout": 20,
        "Acquire::https::Timeout": 20,
        # Root's apt-get would hand the download to a user who cannot write to this folder.
        "APT::Sandbox::User": "root",
    }
    flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    # An update that failed in part may still have what is needed: the download decides.
    updated = _run(["apt-get", *flags, "-qq", "update"], scratch)
    downloaded = _run(["apt-get", *flags, "-qq", "download", package], scratch)
    packages = list(scratch.glob("*.deb"))
    if downloaded.returncode != 0 or len(packages) != 1:
        said = (updated.stderr + downloaded.stderr).strip().splitlines()
        raise ArchiveSourceError(f"apt-get could not download {package}: {' | '.join(said[-3:])}")
    unpacked = scratch / "package.tar"
    with open(unpacked, "wb") as stream:
        extraction = _run(["dpkg-deb", "--fsys-tarfile", str(packages[0])], scratch, stdout=stream)
    if extraction.returncode != 0:
        raise ArchiveSourceError(f"dpkg-deb could not unpack {packages[0].name}: {extraction.stderr.strip()}")
    return tarfile.open(unpacked)


def _run(
    command: Sequence[str | Path], folder: Path, stdout: Any = subprocess.DEVNULL
) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArchiveSourceError(f"{command[0]} did not end within {DOWNLOAD_SECONDS} s") from error


def open_tarball(url: str, folder: Path, sha256: str) -> tarfile.TarFile:
    """Fetches a tarball from the web.

    Arguments
    ---------
    url : str
        Its address.
    folder : Path
        Where to put it.
    sha256 : str
        What its checksum has to be.

    Returns
    -------
    tarfile.TarFile
        The open archive.

    Raises
    ------
    ArchiveSourceError
        If it cannot be fetched or is another file.
    """
    path = folder / url.rsplit("/", 1)[1]
    try:
        with urllib.request.urlopen(url, timeout=20) as response, open(path, "wb") as stream:
            shutil.copyfileobj(response, stream)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise ArchiveSourceError(f"{url}: {error}") from error
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ArchiveSourceError(f"{url}: expected SHA-256 {sha256}, but got {found}")
    return tarfile.open(path)
