"""Certificates made with OpenSSL for the tests in this folder."""
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


def openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@dataclass
class Pair:
    """A certificate and its key."""
    cert: Path
    key: Path

    def flags(self, prefix: str = "") -> list[str]:
        return [f"--{prefix}cert-file", str(self.cert), f"--{prefix}key-file", str(self.key)]

    def replace_by(self, other: "Pair") -> None:
        """Each file at once, as a renewal does it; for a moment they do not belong together."""
        for old, new in ((self.key, other.key), (self.cert, other.cert)):
            fresh = old.with_suffix(".fresh")
            fresh.write_bytes(new.read_bytes())
            os.replace(fresh, old)


class Authority:
    """Signs certificates in `folder`."""

    def __init__(self, folder: Path, name: str = "ca"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}-key.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(self.key),
                "-out", str(self.cert), "-days", "2", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name: str, hosts: str = "IP:127.0.0.1,DNS:localhost", usage: str = "serverAuth,clientAuth",
              file: str | None = None) -> Pair:
        base = self.folder / (file or name)
        pair = Pair(base.with_suffix(".pem"), base.with_name(base.name + "-key.pem"))
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(pair.key), "-out", str(request),
                "-subj", f"/CN={name}")
        extensions.write_text("basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                              f"keyUsage=critical,digitalSignature\nsubjectAltName={hosts}\nextendedKeyUsage={usage}\n")
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self.key), "-CAcreateserial", "-days", "2",
                "-extfile", str(extensions), "-out", str(pair.cert))
        return pair

    def issue_expired(self, name: str) -> Pair:
        pair = self.issue(name)
        configuration, index = pair.cert.with_suffix(".conf"), pair.cert.with_suffix(".index")
        index.touch()
        configuration.write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
                                 "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-notext", "-config", str(configuration), "-cert", str(self.cert), "-keyfile", str(self.key),
                "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-in", str(pair.cert.with_suffix(".csr")),
                "-out", str(pair.cert))
        return pair
