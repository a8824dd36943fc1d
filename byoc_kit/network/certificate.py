"""A self-signed certificate, such as a real orchestrator without ``-httpAddr http://`` has."""

import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from byoc_kit.errors import ByocKitError


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and of its key, in PEM."""

    certificate: Path
    key: Path


@contextmanager
def self_signed(host: str) -> Iterator[Certificate]:
    """Make a certificate for a host or an address, by the ``openssl`` command; it is there while the body runs."""
    with TemporaryDirectory(prefix="byoc-kit-") as folder:
        made = Certificate(Path(folder, "cert.pem"), Path(folder, "key.pem"))
        new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        names = ["-subj", "/CN=byoc-kit", "-addext", f"subjectAltName={_kind_of(host)}:{host}"]
        files = ["-keyout", str(made.key), "-out", str(made.certificate)]
        try:
            subprocess.run(["openssl", *new, *names, *files], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise ByocKitError("a certificate needs the openssl command: apt-get install openssl") from error
        except subprocess.CalledProcessError as error:
            raise ByocKitError(f"openssl made no certificate for {host}: {error.stderr.strip()[-200:]}") from error
        yield made


def _kind_of(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "DNS"
    return "IP"
